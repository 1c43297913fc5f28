"""The params document, read from a file or from nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from handoff_runtime.errors import HandoffError
from handoff_runtime.params import ConfigFile, Params, load_params, parse_params
from handoff_runtime.pipeline import parse as parse_pipeline

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = {"format": 1, "project": "sample", "stages": [{"name": "a", "argv": ["a"]}]}
DOCUMENT: dict[str, Any] = {"format": 1, "pipeline": PIPELINE, "files": [{"name": "deep/a.json", "value": "é\r\n"}]}


def test_a_document_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    assert load_params(str(path)) == Params(parse_pipeline(PIPELINE), (ConfigFile("deep/a.json", "é\r\n"),), DOCUMENT)


def test_files_may_be_left_out() -> None:
    document = {"format": 1, "pipeline": PIPELINE}
    assert parse_params(json.dumps(document).encode(), "here") == Params(parse_pipeline(PIPELINE), (), document)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param({}, "params.files: a list expected", id="no list"),
        pytest.param(["a"], 'params.files: objects with "name" and "value" expected', id="no object"),
        pytest.param([{"name": "a"}], 'params.files: objects with "name" and "value" expected', id="no value"),
        pytest.param(
            [{"name": 1, "value": ""}], 'params.files: objects with "name" and "value" expected', id="no text"
        ),
        pytest.param(
            [{"name": "../a", "value": ""}],
            "params.files: name '../a' found, a path that stays below .env/config expected",
            id="outside",
        ),
        pytest.param(
            [{"name": "\ud800", "value": ""}],
            "params.files: name '\\ud800' found, a path that stays below .env/config expected",
            id="half a character",
        ),
    ],
)
def test_files_that_are_none_are_refused(files: object, message: str) -> None:
    with pytest.raises(HandoffError) as caught:
        parse_params(json.dumps({**DOCUMENT, "files": files}).encode(), "here")
    assert (caught.value.message, caught.value.exit_code) == (message, 78)


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        pytest.param(None, 64, "no --params given: found none, a params document expected", id="none"),
        pytest.param("gone", 69, "gone: No such file or directory, a params document expected", id="gone"),
        pytest.param(".", 69, ".: Is a directory, a params document expected", id="directory"),
    ],
)
def test_a_place_without_a_document_is_named(path: str | None, code: int, message: str) -> None:
    with pytest.raises(HandoffError) as caught:
        load_params(path)
    assert caught.value.exit_code == code
    assert path is None or caught.value.message == message
