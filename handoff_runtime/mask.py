"""Secrets and how they are hidden: each value that must not be seen becomes `***` wherever we write text.

Secret are the values in `.local` files and in environment variables whose names say so. A value is hidden
in the forms it commonly takes: as it is, escaped in JSON, percent-encoded, each line of a longer text.
"""

from __future__ import annotations

import json
import re

from handoff_runtime.value import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from handoff_runtime.pipeline import Pipeline
    from handoff_runtime.store import ConfigFile, Params

STARS = "***"
SHORTEST = 4  # a shorter value would turn half of every log into stars
SHORTEST_NUMBER = 6
SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_KEY", re.IGNORECASE
)
NO_SECRETS = frozenset({"true", "false", "null", "none"})
SLASH = 0x2F
UNRESERVED = frozenset(b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
OUR_PLACES = re.compile(r"(\./)?\.(artifacts|env)(/|$)")
_ASSIGNMENT = re.compile(r"""^\s*(?:export\s+)?["']?[\w.-]+["']?\s*[:=]\s*(.*?)\s*,?\s*$""")


class Mask(NamedTuple):
    """The forms to hide, longest first, so that a part of a secret never shields the rest of it."""

    forms: tuple[str, ...]
    encoded: tuple[bytes, ...]

    @property
    def longest(self) -> int:
        """Bytes of the longest form: so much of a cut line must be held back."""
        return len(self.encoded[0]) if self.encoded else 0

    def text(self, text: str) -> str:
        """The text with every secret starred."""
        for form in self.forms:
            if form in text:
                text = text.replace(form, STARS)
        return text

    def bytes(self, data: bytes) -> bytes:
        """The bytes with every secret starred."""
        for form in self.encoded:
            if form in data:
                data = data.replace(form, STARS.encode())
        return data

    def value(self, value: object) -> object:
        """A JSON value with every text in it starred."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value if value is None or isinstance(value, bool) else self._number(value)

    def _number(self, value: object) -> object:
        return value if self.text(str(value)) == str(value) else STARS


def of_run(params: Params, pipeline: Pipeline, environ: Mapping[str, str]) -> Mask:
    """The mask for a run: its config files, its environment, each stage's own; names of ours stay readable."""
    public = {pipeline.project, pipeline.environment, *(stage.name for stage in pipeline.stages)}
    stages = [item for stage in pipeline.stages for item in stage.envs.items()]
    return mask(params.files, [*environ.items(), *pipeline.envs.items(), *stages], public)


def mask(files: Iterable[ConfigFile], environ: Iterable[tuple[str, str]], public: Iterable[str] = ()) -> Mask:
    """The mask for these config files and this environment; `public` names are no secrets."""
    secrets = {secret for file in files for secret in _in_file(file.value)}
    secrets = {secret for secret in secrets.difference(public) if not OUR_PLACES.match(secret)}
    secrets.update(value for name, value in environ if SECRET_NAME.search(name) and _worth(value))
    forms = {form for secret in secrets for form in _forms(secret)}
    ordered = tuple(sorted(forms, key=lambda form: (-len(form.encode("utf-8", "surrogateescape")), form)))
    return Mask(ordered, tuple(form.encode("utf-8", "surrogateescape") for form in ordered))


def _in_file(text: str) -> Iterator[str]:
    """The values of one config file: the leaves of JSON, else what stands on each line."""
    try:
        yield from _leaves(json.loads(text))
    except (ValueError, RecursionError):
        yield from _in_lines(text)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str):
        yield from _in_lines(value) if "\n" in value else filter(_worth, [value])
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and len(str(value)) >= SHORTEST_NUMBER:
        yield str(value)


def _in_lines(text: str) -> Iterator[str]:
    """Each line that is worth hiding, and the value where the line assigns one (`key: value`, `KEY=value`)."""
    for line in text.splitlines():
        match = _ASSIGNMENT.match(line)
        yield from filter(_worth, {line.strip(), match.group(1).strip("\"'") if match else ""})


def _worth(value: str) -> bool:
    return len(value.strip()) >= SHORTEST and value.strip().lower() not in NO_SECRETS


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield _as_go_has_it(secret)
    yield repr(secret)[1:-1]
    for plain in (UNRESERVED, UNRESERVED | {SLASH}):
        yield _percent(secret, plain, "02x")
        yield _percent(secret, plain, "02X")
        yield _percent(secret, plain, "02X").replace("%20", "+")


def _as_go_has_it(secret: str) -> str:
    """The secret in JSON made by Go, which escapes what has a meaning in HTML."""
    text = json.dumps(secret, ensure_ascii=False)[1:-1]
    return "".join(f"\\u{ord(character):04x}" if character in "<>&" else character for character in text)


def _percent(secret: str, plain: frozenset[int], code: str) -> str:
    """The secret as it stands in a URL (RFC 3986: all but the unreserved characters encoded; by some not the slash)."""
    data = secret.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in plain else f"%{byte:{code}}" for byte in data)
