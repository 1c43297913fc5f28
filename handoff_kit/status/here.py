"""A project as it lies here, as far as it can be read: what is wrong with one is told, and keeps no other from view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from handoff_kit.errors import HandoffError
from handoff_kit.image import build as building
from handoff_kit.project import load as projects
from handoff_kit.project import params_document as params

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project

    Made = TypeVar("Made")

__all__ = ["Here", "read"]


@dataclass(frozen=True)
class Here:
    """A project's file, the tag of its image, its params document; each None where it cannot be had."""

    place: ProjectPlace
    loaded: Project | None = None
    tag: str | None = None
    document: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


def read(place: ProjectPlace, environment: str) -> Here:
    """Read what can be read; nothing is raised for what is wrong."""
    try:
        loaded = projects.load(place.file, place.shown)
    except HandoffError as error:
        return Here(place, problems=(_told(error),))
    problems: list[str] = []
    tag = _unless(
        problems, lambda: building.source(place, loaded, loaded.deploy.platform).digest[: building.TAG_LENGTH]
    )
    document = _unless(problems, lambda: params.document(place, loaded, environment))
    return Here(place, loaded, tag, document, tuple(problems))


def _unless(problems: list[str], make: Callable[[], Made]) -> Made | None:
    try:
        return make()
    except HandoffError as error:
        problems.append(_told(error))
        return None


def _told(error: HandoffError) -> str:
    """As a note, which ends nothing."""
    return str(error).removeprefix("error: ")
