"""Where the params document comes from. Here: a file, or standard input; in AWS: Parameter Store."""

from __future__ import annotations

import json
import sys

from handoff_runtime import pipeline as pipelines
from handoff_runtime.errors import PipelineError, StoreError, UsageError
from handoff_runtime.pipeline import Pipeline
from handoff_runtime.value import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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


def load(path: str | None, *, whole: bool = True) -> Params:
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
    return parse(content, "standard input" if path == "-" else path)


def parse(content: bytes, where: str) -> Params:
    """Read a params document (format 1)."""
    try:
        document = json.loads(content.decode("utf-8"))
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
    if "\0" in file.name or any(part in ("", ".", "..") for part in parts):
        raise PipelineError(f"params.files: name {file.name!r} found, a path that stays below .env/config expected")
    return file
