"""Build the image of a project: its name and digest, the steps of a build, and the images that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from handoff_kit import text
from handoff_kit.command import OutputPatterns
from handoff_kit.errors import ImageError, ProjectError
from handoff_kit.image import checks, context, dockerfile
from handoff_kit.image.builder import Ask, Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import patterns
from handoff_kit.project.model import Project
from handoff_kit.steps import Entry, RunCommand, Step, WriteContext, WriteFile
from handoff_kit.venvs import locks

CONTEXT = "handoff.context"
BASE = "handoff.base"
"""The label with the day on which the base was created; empty where it is not known."""
PROJECT = "handoff.project"
REVISION = "org.opencontainers.image.revision"
TAG_LENGTH = 12
ID_LENGTH = 12
_FAILED = r"(?:The command '|executor failed running \[|process \"|(?:at|building at) STEP \"RUN )[^\n]*"
FAILURES = OutputPatterns(
    causes=(
        *locks.FAILURES.causes,
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
    ),
    # the RUN that failed, in the words of the old builder, BuildKit (twice) and podman
    failed_parts=(
        _FAILED + r"--python[ \",]+(?:python[ \",]+)?(?!/opt|python[ \",])([^ \"',\]]+)",
        _FAILED + r"(apt-get)",
        _FAILED,
    ),
    hints=(
        (r"Git executable not found", "install git in the builder: image: {build_packages: [git]}"),
        (r"buildx component is missing", "install docker's buildx plugin, or unset DOCKER_BUILDKIT"),
        (
            r"exec format error",
            "this machine does not run that platform; emulation does: https://docs.docker.com/go/qemu",
        ),
        (r"No space left on device|no space left on device", "make room: docker system prune, or podman system prune"),
    ),
)


@dataclass(frozen=True)
class ImageSource:
    """The Dockerfile and the context of an image, for one platform."""

    paths: ProjectPaths
    dockerfile: str
    context: tuple[Entry, ...]
    platform: str

    @property
    def digest(self) -> str:
        """sha256 of Dockerfile, context and platform, in hexadecimal."""
        return context.context_digest(self.dockerfile, self.platform, self.context)

    @property
    def reference(self) -> str:
        """The name of the image, with a tag of its content."""
        return f"{repository_name(self.paths.name)}:{self.digest[:TAG_LENGTH]}"


def repository_name(project: str) -> str:
    """The name of a project's images, as a registry takes it: lower case, single separators."""
    return "handoff-" + re.sub(r"[_-]+", "-", project.lower()).strip("-")


def check_tag(tag: str) -> str:
    """The name of an image, if a registry takes it."""
    if re.fullmatch(patterns.BASE.strip("^$"), tag) and "@" not in tag:
        return tag
    message = f"--tag: found {tag!r}, expected a name as docker takes it: [HOST[:PORT]/]PATH[:TAG], in lower case"
    raise ProjectError(message, "for example: --tag mine:1.2")


def image_source(paths: ProjectPaths, project: Project, platform: str) -> ImageSource:
    """The source of the project's image; ProjectError where something prevents a build."""
    checks.check_image(paths, project)
    return ImageSource(
        paths, dockerfile.render_dockerfile(paths, project), context.context_entries(paths, project), platform
    )


def plan_render(source: ImageSource) -> tuple[Step, ...]:
    """The steps that write Dockerfile and context to build/."""
    build = source.paths.build
    return (WriteFile(build / "Dockerfile", source.dockerfile), WriteContext(build / "context", source.context))


def plan_build(
    source: ImageSource,
    builder: Builder,
    existing: Mapping[str, Any] | None,
    *,
    reference: str,
    platform: str | None,
    revision: str,
    settings: Sequence[str],
    no_cache: bool,
    base: BaseImage | None = None,
    pull: bool = False,
) -> tuple[Step, ...]:
    """The steps that build the image; none if the `existing` one, as `image inspect` describes it, is up to date.

    `settings` are the names of index settings; their values are passed through the environment. With `pull` every
    base is looked up in its registry.
    """
    if is_image_current(existing, source) and not no_cache:
        return ()
    options = ["--platform", platform] if platform else []
    options += [*(["--no-cache"] if no_cache else []), *(["--pull"] if pull else [])]
    dated = [f"BASE={base.created}"] if base and base.created else []
    arguments = (f"REVISION={revision}", f"CONTEXT={source.digest}", *dated, *settings)
    options += [word for argument in arguments for word in ("--build-arg", argument)]
    build = source.paths.build.relative_to(source.paths.root).as_posix()
    argv = (builder.kind, "build", *builder.load, "--force-rm", "--tag", reference, *options)
    argv += ("--file", f"{build}/Dockerfile", f"{build}/context")
    log = source.paths.build / "build.log"
    run = RunCommand(argv, source.paths.root, f"build image {reference}", FAILURES, log)
    return (*plan_render(source), run)


@dataclass(frozen=True)
class BaseImage:
    """The base of an image, as this machine has it: the day on which it was created, and whether a registry has it."""

    created: str
    is_in_registry: bool


def is_built_on(source: ImageSource, base: str) -> bool:
    """Whether the Dockerfile begins with this base; one of the project's own may have another."""
    return re.search(rf"^FROM (?:--\S+ )*{re.escape(base)}\s", source.dockerfile, re.MULTILINE) is not None


def base_image(source: ImageSource, base: str, builder: Builder) -> BaseImage | None:
    """None where the builder does not have the base, or the image is built on another one."""
    if not is_built_on(source, base) or not (description := builder.image(base)):
        return None
    created = str(description["Created"])[:10]
    is_date = created > "2000"  # reproducible builds have the year 1, 1970 or 1980
    return BaseImage(created if is_date else "", bool(description.get("RepoDigests")))


def is_image_current(image: Mapping[str, Any] | None, source: ImageSource) -> bool:
    """Whether an image was built from this source."""
    return image is not None and label_of(image, CONTEXT) == source.digest


def built_image(source: ImageSource, builder: Builder) -> str:
    """The name of the project's image, if it is built and up to date; else ImageError."""
    if is_image_current(builder.image(source.reference), source):
        return source.reference
    name = source.paths.name
    message = f"image of {name}: no image of the current project files, expected {source.reference}"
    raise ImageError(message, f"invoke build --project {name}")


def label_of(image: Mapping[str, Any], name: str) -> str:
    """A label of an image, as `image inspect` shows it."""
    labels = (image.get("Config") or {}).get("Labels") or image.get("Labels") or {}
    return str(labels.get(name, ""))


def git_revision(paths: ProjectPaths, ask: Ask) -> str:
    """The commit, followed by `+changed` where the project's files differ from it; empty outside of git."""
    git = ("git", "-C", str(paths.directory))
    commit = ask((*git, "rev-parse", "HEAD"))
    if commit.exit:
        return ""
    changed = ask((*git, "status", "--porcelain", "--", "."))
    return commit.stdout.strip() + ("+changed" if changed.stdout.strip() else "")


@dataclass(frozen=True)
class Image:
    """An image that exists: its names, its id (sha256:...), bytes on disk, when it was created."""

    project: str
    names: tuple[str, ...]
    id: str
    size: int
    created: datetime
    platform: str
    revision: str
    context: str


def list_images(builder: Builder, project: str | None) -> tuple[Image, ...]:
    """The images of a project, or of all, the newest first."""
    label = f"label={PROJECT}={project}" if project else f"label={PROJECT}"
    listed = builder.ask((builder.kind, "image", "ls", "--quiet", "--no-trunc", "--filter", label))
    if listed.exit:
        raise ImageError(f"{builder.kind} cannot list its images: {listed.stderr.strip()}")
    ids = tuple(dict.fromkeys(listed.stdout.split()))
    if not ids:
        return ()
    descriptions = json.loads(builder.ask((builder.kind, "image", "inspect", *ids)).stdout or "[]")
    return tuple(
        sorted(map(inspected_image, descriptions), key=lambda image: (image.created, image.names), reverse=True)
    )


def inspected_image(description: Mapping[str, Any]) -> Image:
    """An image from the answer of `image inspect`."""
    # RFC 3339 with up to nine digits of a second, which Python 3.10 does not read
    zone = re.search(r"[+-]\d\d:\d\d$", description["Created"])
    created = datetime.fromisoformat(description["Created"][:19] + (zone.group() if zone else "+00:00"))
    return Image(
        project=label_of(description, PROJECT),
        names=tuple(description.get("RepoTags") or ()),
        id=f"sha256:{description['Id'].removeprefix('sha256:')}",
        size=description["Size"],
        created=created.astimezone(timezone.utc),
        platform=f"{description['Os']}/{description['Architecture']}",
        revision=label_of(description, REVISION),
        context=label_of(description, CONTEXT),
    )


def images_table(images: Iterable[Image], now: datetime) -> str:
    """One line for each name of an image."""
    rows = []
    for image in images:
        revision = image.revision[:ID_LENGTH] + ("+changed" if image.revision.endswith("+changed") else "")
        digest = image.id.removeprefix("sha256:")[:ID_LENGTH]
        more = (digest, text.size(image.size), text.age(now - image.created), image.platform, revision)
        rows += [(image.project, name, *more) for name in image.names or ("<none>",)]
    return text.table(("PROJECT", "IMAGE", "ID", "SIZE", "AGE", "PLATFORM", "REVISION"), rows)


def image_line(builder: Builder, reference: str, seconds: float, digest: str | None = None) -> str:
    """The result of a build or a push in a line: name, digest (else id), size, seconds."""
    description = builder.image(reference)
    if description is None:
        raise ImageError(
            f"{reference}: built, but {builder.kind} does not have it",
            f"see which it has: {builder.kind} image ls",
        )
    image = inspected_image(description)
    return f"{reference}  {digest or image.id}  {text.size(image.size)}  {seconds:.1f} s\n"
