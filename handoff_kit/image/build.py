"""Building an image: what it is called, what is there already, and the steps that make it so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image import context, dockerfile, obstacles
from handoff_kit.project.patterns import BASE
from handoff_kit.steps import RunCommand, Step, WriteContext, WriteFile
from handoff_kit.venvs import locks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from handoff_kit.image.builder import Builder
    from handoff_kit.image.context import Entry
    from handoff_kit.names import ProjectPlace
    from handoff_kit.project.model import Project

__all__ = ["Source", "checked", "existing", "is_current", "label", "plan_build", "plan_render", "repository", "source"]

CONTEXT = "handoff.context"
PROJECT = "handoff.project"
REVISION = "org.opencontainers.image.revision"
TAG_LENGTH = 12
# Which RUN failed, as the old builder, BuildKit (twice) and podman tell it.
_FAILED = r"(?:The command '|executor failed running \[|process \"|(?:at|building at) STEP \"RUN )[^\n]*"
WHERE = (
    _FAILED + r"--python[ \",]+(?:python[ \",]+)?(?!/opt|python[ \",])([^ \"',\]]+)",
    _FAILED + r"(apt-get)",
    _FAILED,
)
CAUSES = (
    *locks.FAILURES,
    r"(DO NOT MATCH THE HASHES)[^\n]*\n +(\S+)(?= from )",  # pip, which installs uv
    r"No matching distribution found for .+",
    r"Git executable not found",
    r"E: (?:Unable to locate package|Package|Version) .+",
    r"image\.services: .+",
    r"BuildKit is enabled but the buildx component is missing or broken",
    r"exec(?: user process caused: exec)? format error",
    r"pull access denied for \S+",
    r"manifest for \S+ not found",
    r"no space left on device",
    r"(?:lookup|dial tcp) \S+.*: .+",
)
HINTS = (
    (r"Git executable not found", "take git along where venvs are made: image: {build_packages: [git]}"),
    (r"buildx component is missing", "install docker's buildx plugin, or unset DOCKER_BUILDKIT"),
    (r"exec format error", "this machine does not run that platform; emulation does: https://docs.docker.com/go/qemu"),
    (r"No space left on device|no space left on device", "make room: docker system prune, or podman system prune"),
)


@dataclass(frozen=True)
class Source:
    """What an image is made from: the Dockerfile and the context, for one platform."""

    place: ProjectPlace
    dockerfile: str
    context: tuple[Entry, ...]
    platform: str

    @property
    def digest(self) -> str:
        """sha256 of all of it, in hexadecimal."""
        return context.digest(self.dockerfile, self.platform, self.context)

    @property
    def reference(self) -> str:
        """The name of the image that is made from it."""
        return f"{repository(self.place.name)}:{self.digest[:TAG_LENGTH]}"


def repository(project: str) -> str:
    """A project's images, by a name that a registry takes (lower case, single separators)."""
    return "handoff-" + re.sub(r"[_-]+", "-", project.lower()).strip("-")


def checked(tag: str) -> str:
    """A name for an image, if it is one that a registry takes."""
    if re.fullmatch(BASE.strip("^$"), tag) and "@" not in tag:
        return tag
    message = f"--tag: found {tag!r}, expected a name as docker takes it: [HOST[:PORT]/]PATH[:TAG], in lower case"
    raise ProjectError(message, "for example: --tag mine:1.2")


def source(place: ProjectPlace, project: Project, platform: str) -> Source:
    """What the project's image is made from; ProjectError where something stands in its way."""
    obstacles.refuse(place, project)
    return Source(place, dockerfile.render(place, project), context.entries(place, project), platform)


def plan_render(made: Source) -> tuple[Step, ...]:
    """The steps that put Dockerfile and context on disk, to be read and to be built from."""
    build = made.place.build
    return (WriteFile(build / "Dockerfile", made.dockerfile), WriteContext(build / "context", made.context))


def plan_build(
    made: Source,
    builder: Builder,
    there: Mapping[str, Any] | None,
    *,
    reference: str,
    platform: str | None,
    revision: str,
    settings: Sequence[str],
    no_cache: bool,
) -> tuple[Step, ...]:
    """The steps that make the image; none where it is there already.

    `settings` are names of index settings that are set here; their values go by the environment.
    """
    if is_current(there, made) and not no_cache:
        return ()
    options = ["--platform", platform] if platform else []
    options += ["--no-cache"] if no_cache else []
    arguments = (f"REVISION={revision}", f"CONTEXT={made.digest}", *settings)
    options += [word for argument in arguments for word in ("--build-arg", argument)]
    return (*plan_render(made), _built(made, builder, reference, options))


def is_current(image: Mapping[str, Any] | None, made: Source) -> bool:
    """Whether an image was made from just this."""
    return image is not None and label(image, CONTEXT) == made.digest


def existing(made: Source, builder: Builder) -> str:
    """The project's image, if it is built and made of what lies here; else ImageError."""
    image = builder.image(made.reference)
    if is_current(image, made):
        return made.reference
    name = made.place.name
    message = f"image of {name}: found none made from the project as it is now, expected {made.reference}"
    raise ImageError(message, f"invoke build --project {name}")


def label(image: Mapping[str, Any], name: str) -> str:
    """A label of an image, as `image inspect` shows it."""
    labels = (image.get("Config") or {}).get("Labels") or image.get("Labels") or {}
    return str(labels.get(name, ""))


def _built(made: Source, builder: Builder, reference: str, options: Sequence[str]) -> RunCommand:
    build = _from_root(made.place, made.place.build)
    argv = (
        builder.kind,
        "build",
        "--force-rm",
        "--tag",
        reference,
        *options,
        "--file",
        f"{build}/Dockerfile",
        f"{build}/context",
    )
    return RunCommand(argv, made.place.root, f"build image {reference}", telling=CAUSES, where=WHERE, hints=HINTS)


def _from_root(place: ProjectPlace, path: Path) -> str:
    return path.relative_to(place.root).as_posix()
