"""Rules for the image: base, packages, steps, services, patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from handoff_kit.paths import NEVER_IN_IMAGE, OUTSIDE_IMAGE
from handoff_kit.project.patterns import BASE, PACKAGE, SERVICE, matches
from handoff_kit.project.problem import quote, shorten
from handoff_kit.project.suggestions import packages_in
from handoff_kit.project.validation.fault import Fault, label, unfilled
from handoff_kit.project.yaml_reader import KeyPath, YamlFile

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


def unfilled_placeholders(source: YamlFile) -> Iterator[Fault]:
    """Placeholders, which are filled only in a run."""
    for key_path, value in _texts(source, *_TEXTS):
        yield from unfilled(key_path, value, "while the image is made")


def padded_names(source: YamlFile) -> Iterator[Fault]:
    """Blanks around a name, which quotes keep."""
    for key_path, value in _texts(source, *(key for key in _TEXTS if key != "steps")):
        if value != value.strip():
            message = f"{label(key_path)} begins or ends with a blank, expected `{shorten(value)}` alone"
            yield Fault(key_path, message, "take the blank out of the quotes")


def bases(source: YamlFile) -> Iterator[Fault]:
    """A base that is not the name of an image, or has no Python."""
    for key_path, value in _texts(source, "base"):
        name, at, _ = value.partition("@")
        image = _suggested_image(value)
        hint = f"write it like this: base: {image or _EXAMPLE}"
        if value == "scratch":
            message = "`base` is scratch, which is empty; expected an image with Python"
            yield Fault(key_path, message, f"write it like this: base: {_EXAMPLE}")
        elif matches(BASE, value):
            continue
        elif at and matches(BASE, name):
            message = "the digest of `base` is not whole, expected @sha256: and 64 digits, 0 to 9 and a to f"
            yield Fault(key_path, message, f"the builder shows it: docker buildx imagetools inspect {name}")
        elif _FROM.match(value) or _AS.search(value):
            yield Fault(key_path, f"`base` is a line of a Dockerfile, {shorten(value)}; expected an image alone", hint)
        elif value != value.lower() and matches(BASE, image):
            yield Fault(key_path, f"`base` is `{shorten(value)}`, expected an image's name, in lower case", hint)
        else:
            yield Fault(key_path, f"`base` is `{shorten(value)}`, expected an image, as NAME:TAG", hint)


def packages(source: YamlFile) -> Iterator[Fault]:
    """Texts that are not the name of one Debian package."""
    for key_path, value in _texts(source, "packages", "build_packages"):
        key, text = key_path[1], shorten(value)
        if matches(PACKAGE, value):
            continue
        if value.startswith("-"):
            message = f"found the apt-get option {text}, expected a Debian package"
            yield Fault(key_path, message, f"name packages only: {key}: [jq, git]")
        elif (pinned := _PINNED.fullmatch(value)) and matches(PACKAGE, pinned[1]):
            message = f"`{text}` asks for a version as pip would, expected a Debian package"
            hint = f"Debian takes one version, or any: {pinned[1]}={pinned[2] or '1.7'}*, or {pinned[1]}"
            yield Fault(key_path, message, hint)
        elif re.search(r"[\s,]", value):
            hint = f"write one an item: {key}: [{', '.join(packages_in(value) or ('jq', 'git'))}]"
            yield Fault(key_path, f"`{text}` is more than one word, expected one Debian package", hint)
        else:
            name = value.lower().replace("_", "-").strip("-.,;")
            message = f"`{text}` is not a Debian package, expected lower-case letters, digits, +, - and ."
            hint = f"did you mean `{name}`?" if matches(PACKAGE, name) else f"for example: {key}: [jq, git]"
            yield Fault(key_path, message, hint)


def steps(source: YamlFile) -> Iterator[Fault]:
    """Lines of a Dockerfile where a line for the shell is expected."""
    for key_path, value in _texts(source, "steps"):
        if found := _INSTRUCTION.fullmatch(value):
            instruction, rest = found[1], found[2]
            hint = _OWN
            if instruction == "RUN" and rest and not rest.startswith(("--", "[")):
                hint = f"leave RUN out: - {quote(rest)}"
            elif instruction == "ENV":
                hint = f"for the stages, set it in envs at the left margin; for the build, {_OWN}"
            yield Fault(key_path, f"`{shorten(value)}` is a line of a Dockerfile, expected a line for the shell", hint)
        elif found := re.fullmatch(r"\s*sudo\s+(\w.*)", value, re.DOTALL):
            message = f"`{shorten(value)}` asks for sudo, expected a line without: steps run as root"
            yield Fault(key_path, message, f"leave sudo out: - {quote(found[1])}")


def services(source: YamlFile) -> Iterator[Fault]:
    """Texts that are not the name of a service in boto3."""
    for key_path, value in _texts(source, "services"):
        if not matches(SERVICE, value):
            name = re.sub(r"^(?:amazon|aws)\W+", "", value.lower())
            message = f"`{shorten(value)}` is not a service, expected its name in boto3: lower case, digits and -"
            hint = f"did you mean `{name}`?" if matches(SERVICE, name) else "for example: dynamodb"
            yield Fault(key_path, message, hint)


def patterns(source: YamlFile) -> Iterator[Fault]:
    """Patterns that match nothing, or everything, or files outside the project."""
    for key_path, value in _texts(source, "exclude", "include"):
        key, text, parts = str(key_path[1]), shorten(value), PurePosixPath(value).parts
        example = f"for example: {key}: [{_EXAMPLES[key]}]"
        if value.startswith("!"):
            hint = "name only what shall stay out" if key == "exclude" else "leave the ! out"
            yield Fault(key_path, f"`{text}` begins with !, which takes nothing back here", hint)
        elif "\\" in value:
            hint = f"did you mean `{_SLASH.sub('/', text)}`?"
            yield Fault(key_path, f"`{text}` holds a backslash, expected / between names", hint)
        elif "**" in value:
            hint = "a directory covers everything in it; else write one pattern for each depth: [a/*.csv, a/*/*.csv]"
            yield Fault(key_path, f"`{text}` holds **, which does not go deeper than * here", hint)
        elif ".." in parts:
            yield Fault(key_path, f"`{text}` leads out of a directory, expected a path inside the project", example)
        elif value.startswith(("/", "~")):
            relative = value.lstrip("/~")
            hint = f"did you mean `{shorten(relative)}`?" if relative else example
            yield Fault(key_path, f"`{text}` is an absolute path, expected one relative to the project", hint)
        elif not parts:
            yield Fault(key_path, f"`{text}` is the whole project, expected a part of it", example)


def ineffective_includes(source: YamlFile) -> Iterator[Fault]:
    """Patterns under `include` for files that enter no image in any case."""
    for key_path, value in _texts(source, "include"):
        parts = PurePosixPath(value).parts
        names = [part for part in parts if part in NEVER_IN_IMAGE]
        names += [part for part in parts[:1] if part in {*OUTSIDE_IMAGE, ".env"}]
        if names:
            hint = "runs get it in another way: docs/concepts/images.md, What never enters"
            yield Fault(key_path, f"`{shorten(value)}` names {names[0]}, which enters no image", hint)


def ineffective_keys(source: YamlFile) -> Iterator[Fault]:
    """Keys that have no effect, or cannot work, because of other keys of `image`."""
    image = source.mapping("image")
    if image.get("store") == "none" and image.get("services"):
        message = "found `services` beside `store: none`, which takes no boto3 along"
        yield Fault(("image", "services"), message, "take one of the two out", on_key=True)
    if isinstance(base := image.get("base"), str) and re.search(r"[:/-]alpine|^alpine", base):
        for key in ("packages", "build_packages"):
            if image.get(key):
                message = f"found `{key}` beside the base {shorten(base)}, which has no apt-get"
                yield Fault(("image", key), message, f"build on Debian: base: {_EXAMPLE}", on_key=True)


def _texts(source: YamlFile, *keys: str) -> Iterator[tuple[KeyPath, str]]:
    return (found for key in keys for found in source.texts("image", key))


def _suggested_image(value: str) -> str:
    """The image a wrong text names, with `, platform: ...` if it names one; empty for none."""
    plain = re.sub(r"^\w+://", "", _AS.sub("", _FROM.sub("", value, count=1)).strip())
    name, colon, tag = plain.partition(":")
    image = next((text for text in (plain, name.lower() + colon + tag, plain.lower()) if matches(BASE, text)), "")
    platform = _PLATFORM.search(value)
    return f"{image}, platform: {platform[1]}" if image and platform else image
