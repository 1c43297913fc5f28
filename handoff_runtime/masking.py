"""Masking: each secret becomes `***` wherever a text from outside is written.

`secret_values` decides which texts are secret. A secret is hidden in the forms it commonly takes: as it is, escaped
in JSON (once or twice), in HTML, percent-encoded, split by colours or carriage returns, each line of a longer text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from handoff_runtime import secret_rules, secret_values, terminal
from handoff_runtime.annotations import Any
from handoff_runtime.errors import MARKED
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.params import ConfigFile, Params
from handoff_runtime.pipeline import Pipeline

STARS = "***"
UNRESERVED = frozenset(b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
# What is not percent-encoded: RFC 3986, in a path, by JavaScript, by Java, by Go.
UNENCODED = tuple(UNRESERVED | set(more) for more in (b"", b"/", b"!*'()", b"*", b"$&+,;="))
HTML = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
HTML_QUOTES = (
    (('"', "&#034;"), ("'", "&#039;")),
    (('"', "&quot;"), ("'", "&#x27;")),
    (('"', "&#34;"), ("'", "&#39;")),
    (('"', "&quot;"), ("'", "&apos;")),
)
# What a terminal does not show: a secret may be split by it. ECMA-48: CSI, OSC and the other strings, controls.
UNSEEN = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)"
    rb"|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]"
)


class Mask(NamedTuple):
    """The forms to hide, longest first, so that a part of a secret never shields the rest of it."""

    forms: tuple[str, ...]
    encoded: tuple[bytes, ...]

    @property
    def longest(self) -> int:
        """Bytes of the longest form: so much of a cut line must be held back."""
        return len(self.encoded[0]) if self.encoded else 0

    def secret_begun(self, data: bytes) -> int:
        """Where a secret begins that the data may break off in; the length of the data where none does."""
        plain, begun = UNSEEN.sub(b"", data), 0  # the latter in bytes from its end
        for form in self.encoded:
            tail = plain[max(0, len(plain) - len(form) + 1) :]
            start = tail.find(form[:1])
            while start >= 0 and not form.startswith(tail[start:]):
                start = tail.find(form[:1], start + 1)
            begun = max(begun, len(tail) - start if start >= 0 else 0)
        end = len(data)
        for unseen in reversed(list(UNSEEN.finditer(data))):
            if end - unseen.end() >= begun:
                break
            begun, end = begun - (end - unseen.end()), unseen.start()
        return end - begun

    def mask_text(self, text: str) -> str:
        """The text with every secret starred."""
        for form in self.forms:
            if form in text:
                text = text.replace(form, STARS)
        return text

    def mask_message(self, text: str) -> str:
        """A message of ours: what it inserts (`errors.mark_inserted`) is starred, its own words never are."""
        return MARKED.sub(lambda match: self.mask_text(match[1]), text)

    def mask_lines(self, data: bytes) -> bytes:
        """Lines with every secret starred; a line that splits one by colours or controls loses these."""
        found = self.mask_bytes(data)
        if self.encoded and terminal.has_controls(found):
            lines = found.split(b"\n")
            for index, line in enumerate(lines):
                plain = UNSEEN.sub(b"", line.removesuffix(b"\r"))
                if (starred := self.mask_bytes(plain)) != plain:
                    lines[index] = starred
            return b"\n".join(lines)
        return found

    def mask_bytes(self, data: bytes) -> bytes:
        """The bytes with every secret starred that nothing splits."""
        for form in self.encoded:
            if form in data:
                data = data.replace(form, STARS.encode())
        return data

    def mask_data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a run; a value whose key says it is secret is starred however short it is."""
        secret = {key for key, value in data.items() if secret_rules.secrecy(key) == secret_rules.SECRET}
        return {self.mask_text(key): STARS if key in secret else self.mask_value(value) for key, value in data.items()}

    def mask_value(self, value: object) -> object:
        """A JSON value with every text in it starred."""
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, dict):
            return {self.mask_text(str(key)): self.mask_value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.mask_value(item) for item in value]
        harmless = value is None or isinstance(value, bool) or self.mask_text(str(value)) == str(value)
        return value if harmless else STARS


def mask_for_run(params: Params, pipeline: Pipeline, environ: Mapping[str, str], data: Mapping[str, Any]) -> Mask:
    """The mask for a run: its config files, environment, data and commands; names of ours stay readable."""
    public = {pipeline.project, pipeline.environment, *(stage.name for stage in pipeline.stages)}
    stages = [item for stage in pipeline.stages for item in stage.envs.items()]
    variables = [*environ.items(), *pipeline.envs.items(), *stages, *pipeline.vars.items()]
    words = [stage.argv for stage in pipeline.stages]
    return build_mask(params.files, variables, public, data=data, argvs=words)


def build_mask(
    files: Iterable[ConfigFile],
    variables: Iterable[tuple[str, str]],
    public: Iterable[str] = (),
    *,
    data: Mapping[str, Any] | None = None,
    argvs: Iterable[Iterable[str]] = (),
) -> Mask:
    """The mask for these config files, variables, data and commands; `public` names are no secrets."""
    secrets = {secret for file in files for secret in secret_values.in_file(file.name, file.value)}
    secrets.update(secret_values.in_environment(variables), secret_values.in_data(data or {}))
    secrets.update(secret for words in argvs for secret in secret_values.in_words(words))
    encoded = {form: secret_values.as_bytes(form) for secret in secrets.difference(public) for form in _forms(secret)}
    ordered = tuple(sorted(encoded, key=lambda form: (-len(encoded[form]), form)))
    return Mask(ordered, tuple(encoded[form] for form in ordered))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    if secret.isascii() and secret.isalnum():
        return  # it looks the same everywhere
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    text = json.dumps(secret, ensure_ascii=False)[1:-1]  # in JSON, Go escapes what has a meaning in HTML
    yield "".join(f"\\u{ord(character):04x}" if character in "<>&" else character for character in text)
    html = secret  # templates escape quotes in one of several ways, or not
    for character, entity in HTML:
        html = html.replace(character, entity)
    yield html
    for (double, as_double), (single, as_single) in HTML_QUOTES:
        yield html.replace(double, as_double).replace(single, as_single)
    yield repr(secret)[1:-1]
    yield from (secret.replace("'", quote) for quote in ("\\'", "'\\''", "''"))  # Python, shells, SQL
    yield json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", "\\/")  # PHP
    for plain in UNENCODED:
        yield _percent(secret, plain, "02x")
        yield _percent(secret, plain, "02X")
        yield _percent(secret, plain, "02X").replace("%20", "+")


def _percent(secret: str, plain: frozenset[int], code: str) -> str:
    """The secret as it stands in a URL (RFC 3986: all but the unreserved characters encoded; by some not the slash)."""
    return "".join(chr(byte) if byte in plain else f"%{byte:{code}}" for byte in secret_values.as_bytes(secret))
