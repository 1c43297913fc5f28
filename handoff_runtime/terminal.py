"""Text from elsewhere, safe to print: no escape sequence but colours reaches a terminal.

A stage, a key in S3 or a record may hold sequences that write to the clipboard, set the title, clear the screen
or overwrite a line. Of complete sequences (ECMA-48) only SGR passes, which sets colours; the others are removed.
What begins no complete sequence is shown as `cat -v` shows it, so nothing after it disappears.
"""

from __future__ import annotations

import re
from re import Match

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
_SGR = r"\[[0-9;:]{0,64}m"
_CSI = r"[0-?]*[ -/]*[@-~]"
_STRING = rf"[^{_CONTROLS}\n]*(?:\x07|\x1b\\|\x9c)"  # of OSC, DCS, SOS, PM, APC; never longer than a line
# It begins with a set of characters, which makes the search for it fast. `re` compiles these patterns, and keeps them,
# when they are first needed: most runs need none.
_UNSAFE = (
    rf"([{_CONTROLS}])(?:"
    rf"(?<=\x1b)(?!{_SGR})(?:(?P<escape>\[{_CSI}|[]PX^_]{_STRING}|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])|)"
    rf"|(?<=\x9b)(?P<csi>{_CSI})"
    rf"|(?<=[\x90\x98\x9d-\x9f])(?P<string>{_STRING})"
    r"|(?<=\r)(?<!\r\r)(?P<end>\r*(?=\n|\Z))"
    r"|(?<!\x1b))"
)
_COLOUR = rf"\x1b{_SGR}"
_COLOUR_IN_BYTES = _COLOUR.encode()
_C1_IN_UTF8 = rb"\xc2[\x80-\x9f]"
# A search for each is ten times faster than one pattern for all.
CONTROLS = tuple(bytes([code]) for code in (*range(9), *range(0x0B, 0x20), 0x7F))
# C1 as one byte is not UTF-8, and decoded to U+DC80 and above (surrogateescape, PEP 383).
_C1_AS_BYTES = {0xDC00 + code: code for code in range(0x80, 0xA0)}
_NAME_CONTROLS = {ord("\n"): "^J", ord("\t"): "^I"}


def safe_text(text: str) -> str:
    """The text without what a terminal would act on, except colours, tabs and newlines."""
    text = text.replace("\r\n", "\n")
    return re.sub(_UNSAFE, _replacement, text if text.isascii() else text.translate(_C1_AS_BYTES))


def safe_bytes(data: bytes) -> bytes:
    """The same for bytes that are meant to be UTF-8; fast where there is nothing to do."""
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
    bare = re.sub(_COLOUR_IN_BYTES, b" ", data) if b"\x1b" in data else data
    safe = not has_controls(bare)
    if safe and not bare.isascii():
        try:
            bare.decode()
        except UnicodeDecodeError:
            safe = False
        else:
            safe = not re.search(_C1_IN_UTF8, bare)
    return data if safe else safe_text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def has_controls(data: bytes) -> bool:
    """Whether there are control characters of ASCII in it, other than tab and newline."""
    return any(control in data for control in CONTROLS)


def safe_line(text: str) -> str:
    """The text in one line: a newline is shown too."""
    return safe_text(text).replace("\n", "^J")


def safe_name(text: str) -> str:
    """The text as a part of a line or a cell of a table, without colours: it cannot look like anything else."""
    return re.sub(_COLOUR, "", safe_text(text)).translate(_NAME_CONTROLS)


def _replacement(found: Match[str]) -> str:
    if found.lastgroup is not None:
        return ""
    code = ord(found[0])
    if code > 0x7F:  # noqa: PLR2004  # C1, as UTF-8 or as one byte
        return f"M-^{chr((code & 0x1F) + 0x40)}"
    return f"^{chr(code ^ 0x40)}"
