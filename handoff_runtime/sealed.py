"""The params document as Parameter Store holds it: JSON, compressed where it would be too long.

A value may hold no `{{`, which Parameter Store takes for a reference of its own, and at most 4,096 bytes,
or 8,192 in the advanced tier (AWS Systems Manager User Guide, "Managing parameter tiers").
"""

from __future__ import annotations

import json

from handoff_runtime.errors import PipelineError, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

STANDARD, ADVANCED = 4096, 8192
MARK = "handoff:"
FORMATS = ("lzma", "zlib")
DICTIONARY = 1 << 20  # LZMA keeps as much in memory to read it; a document is smaller than that
OTHER_KIT = (
    "push again with the kit this image was built with, or build and deploy the image with kit 0.1 or newer: "
    "invoke params.push"
)


def seal(document: Mapping[str, Any]) -> str:
    """The text to be stored: plain where it is short enough, else the shorter of the compressed forms."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # from a file that was no UTF-8
        text = json.dumps(document, separators=(",", ":"))
    plain = text.replace("{{", "{\\u007b")
    if len(plain.encode()) <= STANDARD:
        return plain
    return min((_packed(name, text.encode()) for name in FORMATS), key=len)


def unseal(text: str) -> bytes:
    """The JSON of a stored text; PipelineError for one that another version of handoff wrote."""
    if not text.startswith(MARK):
        return text.encode()
    name, _, body = text[len(MARK) :].partition(":")
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise PipelineError(f"params: stored in the form {name[:20]!r}, expected one of {known}", OTHER_KIT)
    import binascii
    import lzma
    import zlib

    try:
        packed = binascii.a2b_base64(body)
        return lzma.decompress(packed, lzma.FORMAT_ALONE) if name == "lzma" else zlib.decompress(packed)
    except (ValueError, EOFError, lzma.LZMAError, zlib.error) as error:  # ValueError: no base64
        message = f"params: what is stored is damaged ({error})"
        raise PipelineError(message, "store them again: invoke params.push") from None


def tier(document: Mapping[str, Any], text: str, *, advanced: bool) -> str:
    """The tier of Parameter Store a text needs, Standard or Advanced; StoreError where no allowed one takes it."""
    size = len(text.encode())
    if size <= STANDARD:
        return "Standard"
    if advanced and size <= ADVANCED:
        return "Advanced"
    limit = ADVANCED if advanced else STANDARD
    message = f"params: {size:,} bytes when compressed, expected at most {limit:,}"
    files = sorted(document.get("files", ()), key=lambda file: len(file["value"].encode()), reverse=True)
    largest = (
        f"; the largest file is .local/{files[0]['name']} ({len(files[0]['value'].encode()):,} bytes)" if files else ""
    )
    more = "" if advanced else "; or allow the advanced tier: params: {tier: advanced}"
    raise StoreError(f"{message}{largest}", f"put what is not secret into files/{more}")


def _packed(name: str, content: bytes) -> str:
    import binascii
    import lzma
    import zlib

    if name == "lzma":  # without the frame of .xz, and for text: a twentieth shorter than lzma's own choice
        best = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": DICTIONARY, "pb": 0}
        choices = ([{**best, "lc": bits}] for bits in (3, 4))
        packed = min((lzma.compress(content, lzma.FORMAT_ALONE, filters=each) for each in choices), key=len)
    else:
        packed = zlib.compress(content, 9)
    return f"{MARK}{name}:{binascii.b2a_base64(packed, newline=False).decode()}"
