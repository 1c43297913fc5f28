"""What is to be deployed of a project, from its files alone: templates, image, params. Nobody is called for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit import templates
from handoff_kit.errors import ProjectError
from handoff_kit.fargate.network import needs_shared
from handoff_kit.image import build as building
from handoff_kit.names import known
from handoff_kit.project import load as projects
from handoff_kit.project import name_limits as limits
from handoff_kit.project import params_document as params
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.remote import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_kit.image.build import Source
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project
    from handoff_kit.project.problem import Problem

__all__ = ["Shared", "Wanted", "every", "shared", "source"]


@dataclass(frozen=True)
class Wanted:
    """A project as it lies here, rendered for an environment; `name` is its stack's."""

    place: ProjectPlace
    loaded: Project
    environment: str
    name: str
    source: Source
    registry: str = field(repr=False)
    task: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    needs_shared: bool = True

    @property
    def tag(self) -> str:
        """The tag of its image: it follows from what the image is made of."""
        return self.source.digest[: building.TAG_LENGTH]

    @property
    def tags(self) -> dict[str, str]:
        """The tags of all that is this project's alone."""
        return {
            **self.loaded.deploy.tags,
            "handoff:project": self.place.name,
            "handoff:environment": self.environment,
        }


@dataclass(frozen=True)
class Shared:
    """What the projects of an environment share, rendered; `bare` is the same before any project is in it."""

    environment: str
    text: str = field(repr=False)
    bare: str = field(repr=False)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of all that is shared."""
        return {"handoff:environment": self.environment}


def every(places: Sequence[ProjectPlace], environment: str, environ: Mapping[str, str]) -> tuple[Wanted, ...]:
    """All these projects; the problems of every file are told together."""
    if names.given_stack(environ) and len(places) > 1:
        message = f"{names.STACK_VARIABLE}: found together with --all, which has a stack for each project"
        raise ProjectError(message, f"unset {names.STACK_VARIABLE}")
    found = [(place, _loaded(place)) for place in places]
    if problems := [problem for _, faulty in found if isinstance(faulty, tuple) for problem in faulty]:
        raise ProjectFileError(problems)
    sound = [(place, loaded) for place, loaded in found if not isinstance(loaded, tuple)]
    others = known(places[0].root)
    return tuple(_wanted(place, loaded, environment, environ, others) for place, loaded in sound)


def shared(wanted: Sequence[Wanted], environment: str) -> Shared:
    """The shared stack, which knows every project of the checkout."""
    root = wanted[0].place.root
    loaded = {one.place.name: one.loaded for one in wanted}
    text = templates.shared(root, environment, loaded=loaded)
    return Shared(environment, text, templates.shared(root, environment, projects=False))


def source(place: ProjectPlace, loaded: Project) -> Source:
    """What the project's image for Fargate is made from."""
    return building.source(place, loaded, loaded.deploy.platform)


def _loaded(place: ProjectPlace) -> Project | tuple[Problem, ...]:
    try:
        return projects.load(place.file, place.shown)
    except ProjectFileError as error:
        return error.problems


def _wanted(
    place: ProjectPlace, loaded: Project, environment: str, environ: Mapping[str, str], others: Sequence[str]
) -> Wanted:
    _refuse(place, loaded, environment, others)
    name = names.given_stack(environ) or names.stack(place.name, environment)
    params.check_functions(place)
    return Wanted(
        place,
        loaded,
        environment,
        name,
        source(place, loaded),
        templates.registry(place.root, place.name, loaded, name, environment),
        templates.task(place.root, place.name, loaded, name, environment),
        params.document(place, loaded, environment),
        needs_shared(loaded.deploy, bucket=bool(names.given_bucket(environ))),
    )


def _refuse(place: ProjectPlace, loaded: Project, environment: str, others: Sequence[str]) -> None:
    """What AWS or the image would refuse later, and with other words."""
    limits.refuse(place, environment, loaded, others)
    if loaded.image.store != "aws":
        message = f"{place.shown}: found image: {{store: {loaded.image.store}}}, expected aws: on Fargate runs need it"
        raise ProjectError(message, "take `store` out of the keys of `image`")
