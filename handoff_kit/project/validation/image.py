"""What the image is made of: its base, its packages, its steps, and what stays out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from handoff_kit.paths import NEVER_IN_IMAGE, OUTSIDE_IMAGE
from handoff_kit.project.patterns import BASE, PACKAGE, SERVICE, matches
from handoff_kit.project.problem import quote, shorten
from handoff_kit.project.suggestions import packages_in
from handoff_kit.project.validation.fault import Fault, ProjectFileView, label
from handoff_kit.project.yaml_reader import KeyPath
from handoff_runtime.placeholders import PLACEHOLDER

_EXAMPLE = "python:3.12-slim"
_TEXTS = ("base", "packages", "build_packages", "steps", "services", "exclude", "include")
_EXAMPLES = {"exclude": "notebooks", "include": "certificates/client.pem"}
_OWN = "put it into the project's own Dockerfile.j2, which extends ours: see docs/concepts/images.md"
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*", re.IGNORECASE)
_AS = re.compile(r"\s+AS\s+\S+\s*$", re.IGNORECASE)
_PLATFORM = re.compile(r"--platform=(linux/amd64|linux/arm64)\s")
_PINNED = re.compile(r"([^\s<>=!~]+)\s*(?:[<>!~=]=+|[<>])\s*([^\s,]*).*")
_SLASH = re.compile(r"\\+")
_INSTRUCTION = re.compile(
    r"\s*(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL"
    r"|USER|VOLUME|WORKDIR)(?=\s|$)\s*(.*)",
    re.DOTALL,
)


def unfilled_placeholders(outline: ProjectFileView) -> Iterator[Fault]:
    """Placeholders, which only a run fills."""
    for trail, value in outline.image_texts(*_TEXTS):
        if found := PLACEHOLDER.search(value):
            message = f"{label(trail)} holds {found.group()}, which nothing fills while the image is made"
            yield Fault(trail, message, "write the value itself; placeholders are filled when the pipeline runs")


def padded_names(outline: ProjectFileView) -> Iterator[Fault]:
    """Blanks around a name, which quotes keep."""
    for trail, value in outline.image_texts(*(key for key in _TEXTS if key != "steps")):
        if value != value.strip():
            message = f"{label(trail)} begins or ends with a blank, expected `{shorten(value)}` alone"
            yield Fault(trail, message, "take the blank out of the quotes")


def bases(outline: ProjectFileView) -> Iterator[Fault]:
    """A base that is no image, or one without Python."""
    for trail, value in outline.image_texts("base"):
        if value == "scratch":
            message = "`base` is scratch, which is empty; expected an image with Python"
            yield Fault(trail, message, f"write it like this: base: {_EXAMPLE}")
        elif not matches(BASE, value):
            hint = f"write it like this: base: {_image(value) or _EXAMPLE}"
            yield Fault(trail, *(_digest(value) or (_base(value), hint)))


def packages(outline: ProjectFileView) -> Iterator[Fault]:
    """What apt-get would not take for one package."""
    for trail, value in outline.image_texts("packages", "build_packages"):
        if not matches(PACKAGE, value):
            yield Fault(trail, *_package(trail, value))


def steps(outline: ProjectFileView) -> Iterator[Fault]:
    """Lines of a Dockerfile where a line for the shell is expected."""
    for trail, value in outline.image_texts("steps"):
        if found := _INSTRUCTION.fullmatch(value):
            message = f"`{shorten(value)}` is a line of a Dockerfile, expected a line for the shell"
            yield Fault(trail, message, _for_shell(found[1], found[2]))
        elif found := re.fullmatch(r"\s*sudo\s+(\w.*)", value, re.DOTALL):
            message = f"`{shorten(value)}` asks for sudo, expected a line without: steps run as root"
            yield Fault(trail, message, f"leave sudo out: - {quote(found[1])}")


def services(outline: ProjectFileView) -> Iterator[Fault]:
    """Names of services that are none of boto3's."""
    for trail, value in outline.image_texts("services"):
        if not matches(SERVICE, value):
            meant = re.sub(r"^(?:amazon|aws)\W+", "", value.lower())
            message = f"`{shorten(value)}` is not a service, expected its name in boto3: lower case, digits and -"
            yield Fault(
                trail, message, f"did you mean `{meant}`?" if matches(SERVICE, meant) else "for example: dynamodb"
            )


def patterns(outline: ProjectFileView) -> Iterator[Fault]:
    """Patterns that would leave out nothing, or everything; what no pattern can bring into an image."""
    for trail, value in outline.image_texts("exclude", "include"):
        key = str(trail[1])
        if found := _pattern(value, key) or (_never(value) if key == "include" else None):
            yield Fault(trail, *found)


def ineffective_keys(outline: ProjectFileView) -> Iterator[Fault]:
    """What has no effect, or cannot be done, because of other keys of `image`."""
    image = outline.image()
    if image.get("store") == "none" and image.get("services"):
        message = "found `services` beside `store: none`, which takes no boto3 along"
        yield Fault(("image", "services"), message, "take one of the two out", on_key=True)
    if isinstance(base := image.get("base"), str) and re.search(r"[:/-]alpine|^alpine", base):
        for key in ("packages", "build_packages"):
            if image.get(key):
                message = f"found `{key}` beside the base {shorten(base)}, which has no apt-get"
                yield Fault(("image", key), message, f"build on Debian: base: {_EXAMPLE}", on_key=True)


def _image(value: str) -> str:
    """The image that a text most likely means, and the platform it names; empty when none."""
    plain = re.sub(r"^\w+://", "", _AS.sub("", _FROM.sub("", value, count=1)).strip())
    name, colon, tag = plain.partition(":")
    meant = next((text for text in (plain, name.lower() + colon + tag, plain.lower()) if matches(BASE, text)), "")
    platform = _PLATFORM.search(value)
    return f"{meant}, platform: {platform[1]}" if meant and platform else meant


def _base(value: str) -> str:
    if _FROM.match(value) or _AS.search(value):
        return f"`base` is a line of a Dockerfile, {shorten(value)}; expected an image alone"
    if value != value.lower() and matches(BASE, _image(value)):
        return f"`base` is `{shorten(value)}`, expected an image's name, in lower case"
    return f"`base` is `{shorten(value)}`, expected an image, as NAME:TAG"


def _digest(value: str) -> tuple[str, str] | None:
    name, at, _ = value.partition("@")
    if not at or not matches(BASE, name):
        return None
    message = "the digest of `base` is not whole, expected @sha256: and 64 digits, 0 to 9 and a to f"
    return message, f"the builder shows it: docker buildx imagetools inspect {name}"


def _package(trail: KeyPath, value: str) -> tuple[str, str]:
    key, shown = trail[1], shorten(value)
    if value.startswith("-"):
        return f"found the apt-get option {shown}, expected a Debian package", f"name packages only: {key}: [jq, git]"
    if (pinned := _PINNED.fullmatch(value)) and matches(PACKAGE, pinned[1]):
        hint = f"Debian takes one version, or any: {pinned[1]}={pinned[2] or '1.7'}*, or {pinned[1]}"
        return f"`{shown}` asks for a version as pip would, expected a Debian package", hint
    if re.search(r"[\s,]", value):
        hint = f"write one an item: {key}: [{', '.join(packages_in(value) or ('jq', 'git'))}]"
        return f"`{shown}` is more than one word, expected one Debian package", hint
    meant = value.lower().replace("_", "-").strip("-.,;")
    hint = f"did you mean `{meant}`?" if matches(PACKAGE, meant) else f"for example: {key}: [jq, git]"
    return f"`{shown}` is not a Debian package, expected lower-case letters, digits, +, - and .", hint


def _for_shell(instruction: str, rest: str) -> str:
    if instruction == "RUN" and rest and not rest.startswith(("--", "[")):
        return f"leave RUN out: - {quote(rest)}"
    if instruction == "ENV":
        return "for the stages, set it in envs at the left margin; for the build, " + _OWN
    return _OWN


def _pattern(value: str, key: str) -> tuple[str, str] | None:
    shown = shorten(value)
    if value.startswith("!"):
        hint = "name only what shall stay out" if key == "exclude" else "leave the ! out"
        return f"`{shown}` begins with !, which takes nothing back here", hint
    if "\\" in value:
        return f"`{shown}` holds a backslash, expected / between names", f"did you mean `{_SLASH.sub('/', shown)}`?"
    if "**" in value:
        hint = "a directory covers everything in it; else write one pattern for each depth: [a/*.csv, a/*/*.csv]"
        return f"`{shown}` holds **, which does not go deeper than * here", hint
    return _outside(value, shown, f"for example: {key}: [{_EXAMPLES[key]}]")


def _never(value: str) -> tuple[str, str] | None:
    """A pattern for what enters no image in any case."""
    parts = PurePosixPath(value).parts
    top = parts[0] if parts[0] in {*OUTSIDE_IMAGE, ".env"} else None
    name = next((part for part in parts if part in NEVER_IN_IMAGE), top)
    if name is None:
        return None
    hint = "runs get it in another way: docs/concepts/images.md, What never enters"
    return f"`{shorten(value)}` names {name}, which enters no image", hint


def _outside(value: str, shown: str, example: str) -> tuple[str, str] | None:
    parts = PurePosixPath(value).parts
    if ".." in parts:
        return f"`{shown}` leads out of a directory, expected a path inside the project", example
    if value.startswith(("/", "~")):
        meant = value.lstrip("/~")
        hint = f"did you mean `{shorten(meant)}`?" if meant else example
        return f"`{shown}` is an absolute path, expected one relative to the project", hint
    return None if parts else (f"`{shown}` is the whole project, expected a part of it", example)
