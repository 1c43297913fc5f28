"""The project's own functions: found without being run, called with params and data."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from handoff_runtime import functions
from handoff_runtime.errors import PipelineError
from handoff_runtime.pipeline import Pipeline, Stage


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_public_functions_are_found_without_running_anything() -> None:
    Path("impl.py").write_text(
        "raise SystemExit\nimport os\ndef one(params, data): ...\ndef _two(): ...\n@wrapped\ndef three(params, data):\n"
        "    def inner(): ...\nclass Four: ...\nfive = 5\nasync def six(): ...\n"
    )
    assert functions.function_names() == ("one", "three")


def test_no_impl_has_no_functions() -> None:
    assert functions.function_names() == ()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("def one(:\n", ":1: invalid syntax", id="syntax"),
        pytest.param(f"x = {'-' * 5000}1\n", ": ", id="nested too deep to parse"),
        pytest.param(f"x = {'(' * 5000}1\n", ":1: too many nested parentheses", id="too many parentheses"),
    ],
)
def test_an_impl_that_is_no_python_is_named(text: str, error: str) -> None:
    Path("impl.py").write_text(text)
    with pytest.raises(PipelineError) as caught:
        functions.function_names()
    message, hint = str(caught.value).splitlines()
    assert (message[: len(error) + 14], hint) == (f"error: impl.py{error}", "hint: mend it: it is no Python")


def test_an_impl_that_is_no_file_is_named() -> None:
    Path("impl.py").mkdir()
    with pytest.raises(PipelineError) as caught:
        functions.function_names()
    assert str(caught.value) == "error: impl.py: Is a directory, a file with functions expected\nhint: ls -ld impl.py"


def test_a_function_is_a_pipeline_of_one_stage() -> None:
    other = Stage("tap", ("tap",), "tap", None, {})
    whole = Pipeline("sample", "dev", {"a": "1"}, {"B": "2"}, "singer", "rows", (other, other))
    argv = (sys.executable, str(Path(functions.__file__).resolve()), "own")
    stage = Stage("own", argv, "impl.py:own", None, {})
    assert functions.function_pipeline(whole, "own") == Pipeline(
        "sample", "dev", {"a": "1"}, {"B": "2"}, "none", "off", (stage,)
    )


def test_arguments_are_sent_by_a_file_without_a_name() -> None:
    fd = functions.open_arguments({"files": ["é"]}, {"n": 1})
    with os.fdopen(fd) as file:
        assert (json.load(file), os.fstat(fd).st_nlink) == ({"params": {"files": ["é"]}, "data": {"n": 1}}, 0)


def test_a_function_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("impl.py").write_text("import pathlib\ndef own(*given):\n    pathlib.Path('called').write_text(repr(given))\n")
    try:
        functions.call_function("own", {"a": 1}, {"b": 2})
    finally:
        sys.modules.pop("impl", None)
    assert Path("called").read_text() == "({'a': 1}, {'b': 2})"
