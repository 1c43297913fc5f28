"""Where the params document comes from. Here: a file, or standard input; in AWS: Parameter Store."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from handoff_runtime import exact_json
from handoff_runtime import pipeline as pipelines
from handoff_runtime.annotations import Any
from handoff_runtime.errors import PipelineError, StoreError, UsageError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.pipeline import Pipeline

FORMAT = 1


class ConfigFile(NamedTuple):
    """One sensitive text file; `name` is its path below `.local` here and `.env/config` during the run."""

    name: str
    value: str


class Params(NamedTuple):
    """The params document: a pipeline and its config, one version together; `document` is it unread."""

    pipeline: Pipeline
    files: tuple[ConfigFile, ...]
    document: Mapping[str, Any]


def load_params(path: str | None, *, whole: bool = True) -> Params:
    """Read the params from a file (`-`: standard input, of which only the first line where it is not `whole`)."""
    if path is None:
        raise UsageError("params: none given, a params document expected", "give one: --params FILE")
    try:
        if path != "-":
            with open(path, "rb") as file:
                content = file.read()
        elif sys.stdin:
            content = sys.stdin.buffer.read() if whole else sys.stdin.buffer.readline()
        else:
            content = b""
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror}, a params document expected",
            "write one: `invoke params --output FILE`",
        ) from None
    return parse_params(content, "standard input" if path == "-" else path)


def parse_params(content: bytes, where: str) -> Params:
    """Read a params document (format 1)."""
    try:
        document = exact_json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PipelineError(
            f"{where}: not a params document ({error})", "write one: `invoke params --output FILE`"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PipelineError(
            f'{where}: an object with "format": {FORMAT} expected', "write one: `invoke params --output FILE`"
        )
    pipeline, files = pipelines.parse(document.get("pipeline")), document.get("files", [])
    if not isinstance(files, list):
        raise PipelineError("params.files: a list expected")
    return Params(pipeline, tuple(_file(item) for item in files), document)


def _file(found: object) -> ConfigFile:
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("name", "value")):
        raise PipelineError('params.files: objects with "name" and "value" expected')
    file = ConfigFile(found["name"], found["value"])
    parts = file.name.split("/")
    if not _can_be_path(file.name) or any(part in ("", ".", "..") for part in parts):
        raise PipelineError(f"params.files: name {file.name!r} found, a path that stays below .env/config expected")
    return file


def _can_be_path(name: str) -> bool:
    """Whether a file can have this name: no NUL, and no half of a character but bytes that are no UTF-8 (PEP 383)."""
    try:
        return b"\0" not in name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


STANDARD, ADVANCED = 4096, 8192
MARK = "handoff:"
FORMATS = ("lzma", "zlib")
DICTIONARY = 1 << 20  # LZMA keeps as much in memory to read it; a document is smaller than that
OTHER_KIT = (
    "push again with the kit this image was built with, or build and deploy the image with kit 0.1 or newer: "
    "invoke params.push"
)


def encode_params(document: Mapping[str, Any]) -> str:
    """The text to be stored: plain where it is short enough, else the shorter of the compressed forms."""
    text = exact_json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # from a file that was no UTF-8
        text = exact_json.dumps(document, separators=(",", ":"))
    plain = text.replace("{{", "{\\u007b")
    if len(plain.encode()) <= STANDARD:
        return plain
    return min((_packed(name, text.encode()) for name in FORMATS), key=len)


def decode_params(text: str) -> bytes:
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


def required_tier(document: Mapping[str, Any], text: str, *, advanced: bool) -> str:
    """The tier of Parameter Store a text needs, Standard or Advanced; StoreError where no allowed one takes it."""
    size = len(text.encode())
    if size <= STANDARD:
        return "Standard"
    if advanced and size <= ADVANCED:
        return "Advanced"
    limit = ADVANCED if advanced else STANDARD
    message = f"params: {size:,} bytes when compressed, expected at most {limit:,}"
    sizes = [(len(file["value"].encode("utf-8", "surrogatepass")), file["name"]) for file in document.get("files", ())]
    length, name = max(sizes, key=lambda each: each[0], default=(0, ""))
    largest = f"; the largest file is .local/{name} ({length:,} bytes)" if sizes else ""
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
