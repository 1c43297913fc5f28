"""The pipeline document, read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from handoff_runtime import collector_stats
from handoff_runtime.errors import PipelineError
from handoff_runtime.pipeline import Pipeline, Stage, can_be_argument, parse, stage_name

TAP = {"name": "tap", "argv": ["tap", "-x"], "venv": "venv/tap", "envs": {"A": "b"}}


def document(**given: Any) -> dict[str, Any]:
    return {"format": 1, "project": "sample", "stages": [TAP], **given}


def test_a_document_is_read_whole() -> None:
    stages = [
        TAP,
        {"name": "grep", "shell": "grep a | sort", "venv": None},
        {"name": "stats", "builtin": "collector_stats"},
    ]
    given = {"environment": "prod", "vars": {"a": "1"}, "envs": {"B": "{{ a }}"}, "state": "singer", "meter": "off"}
    script = str(Path(collector_stats.__file__).resolve())
    assert parse(document(stages=stages, **given)) == Pipeline(
        project="sample",
        environment="prod",
        vars={"a": "1"},
        envs={"B": "{{ a }}"},
        state="singer",
        meter="off",
        stages=(
            Stage("tap", ("tap", "-x"), "tap", "venv/tap", {"A": "b"}),
            Stage("grep", ("sh", "-c", "grep a | sort"), "grep a | sort", None, {}, is_shell=True),
            Stage("stats", (sys.executable, "-I", "-S", script), "collector_stats", None, {}),
        ),
    )


def test_what_is_left_out_has_a_default() -> None:
    stage = Stage("tap", ("tap", "-x"), "tap", "venv/tap", {"A": "b"})
    assert parse(document()) == Pipeline("sample", "dev", {}, {}, "all", "rows", (stage,))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"format": 2}, "pipeline: format 2 found, 1 expected", id="format"),
        pytest.param({"project": ""}, "pipeline.project: a text found, a text expected", id="no project"),
        pytest.param({"project": 3}, "pipeline.project: a number found, a text expected", id="project"),
        pytest.param({"vars": []}, "pipeline.vars: a list found, an object expected", id="vars"),
        pytest.param({"vars": {"a": 1}}, "pipeline.vars.a: a number found, a text expected", id="a var"),
        pytest.param({"envs": {"a": None}}, "pipeline.envs.a: nothing found, a text expected", id="an env"),
        pytest.param(
            {"envs": {"=": "x"}}, "pipeline.envs: name '=' found, one without = and NUL expected", id="env name"
        ),
        pytest.param({"state": "some"}, "pipeline.state: 'some' found, one of all, singer, none expected", id="state"),
        pytest.param({"meter": True}, "pipeline.meter: True found, one of rows, bytes, off expected", id="meter"),
        pytest.param(
            {"stages": None}, "pipeline.stages: nothing found, a list of at least one stage expected", id="none"
        ),
        pytest.param(
            {"stages": []}, "pipeline.stages: a list found, a list of at least one stage expected", id="empty"
        ),
        pytest.param(
            {"stages": [TAP, TAP]}, "pipeline.stages: names ['tap', 'tap'] found, each only once expected", id="twice"
        ),
        *(
            pytest.param(
                {"stages": [{**TAP, "name": name}]},
                f"pipeline.stages[0].name: {name!r} found, a name in one line, without |, and other than handoff expected",
                id=f"name {name!r}",
            )
            for name in ("handoff", "Handoff", " handoff ", "handoff | x", "a\nb", "a\x1b[2J", "handoff\u200b", " ")
        ),
        pytest.param({"stages": ["tap"]}, "pipeline.stages[0]: a text found, an object expected", id="a word"),
        pytest.param(
            {"stages": [{"name": "a"}]},
            "pipeline.stages[0]: nothing found, one of argv, shell, builtin expected",
            id="no command",
        ),
        pytest.param(
            {"stages": [{**TAP, "shell": "x"}]},
            "pipeline.stages[0]: ['argv', 'shell'] found, one of argv, shell, builtin expected",
            id="two",
        ),
        pytest.param(
            {"stages": [{**TAP, "argv": "tap"}]},
            "pipeline.stages[0].argv: a text found, a list of words expected",
            id="argv a text",
        ),
        pytest.param(
            {"stages": [{**TAP, "argv": []}]},
            "pipeline.stages[0].argv: a list found, a list of words expected",
            id="argv empty",
        ),
        pytest.param(
            {"stages": [{**TAP, "argv": ["a", 1]}]},
            "pipeline.stages[0].argv: a number found, a text expected",
            id="number",
        ),
        pytest.param(
            {"stages": [{**TAP, "argv": ["a\0"]}]},
            "pipeline.stages[0].argv: a text with NUL or half a character found, an argument of a command expected",
            id="NUL",
        ),
        pytest.param(
            {"stages": [{"name": "a", "builtin": "tee"}]},
            "pipeline.stages[0].builtin: 'tee' found, one of collector_stats expected",
            id="builtin",
        ),
        pytest.param(
            {"stages": [{**TAP, "venv": 1}]}, "pipeline.stages[0].venv: a number found, a text expected", id="venv"
        ),
    ],
)
def test_what_is_not_as_expected_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse(document(**given))
    assert (caught.value.message, caught.value.exit_code) == (message, 78)


@pytest.mark.parametrize("found", [None, [], "x", 1, True])
def test_no_object_is_no_pipeline(found: object) -> None:
    with pytest.raises(PipelineError, match=r"^error: pipeline\.pipeline: .* found, an object expected"):
        parse(found)


@pytest.mark.parametrize(("text", "can"), [("", True), ("é\U0001f40d", True), ("\0", False), ("\ud800", False)])
def test_not_every_text_can_be_an_argument(text: str, can: bool) -> None:  # noqa: FBT001
    assert can_be_argument(text) is can


@pytest.mark.parametrize(
    ("wish", "taken", "expected"),
    [
        pytest.param("cat", [], "cat", id="as wished"),
        pytest.param("cat", ["cat", "cat-2"], "cat-3", id="taken"),
        pytest.param("my tool", [], "my tool", id="a blank inside"),
        pytest.param("grün", [], "grün", id="letters"),
        pytest.param("handoff", [], "handoff-2", id="the runtime's own"),
        pytest.param("HandOff ", ["HandOff-2"], "HandOff-3", id="looks like it"),
        pytest.param("handoff | succeeded", [], "handoff _ succeeded", id="the end of a tag"),
        pytest.param("a\n12:00:00 handoff", [], "a_12:00:00 handoff", id="two lines"),
        pytest.param("\x1b[2Jtap", [], "_[2Jtap", id="an escape"),
        pytest.param("handoff\u200b", [], "handoff_", id="a character of no width"),
        pytest.param(" ", [], "stage", id="nothing to see"),
    ],
)
def test_the_name_of_a_stage(wish: str, taken: list[str], expected: str) -> None:
    name = stage_name(wish, taken)
    assert name == expected
    assert parse(document(stages=[{**TAP, "name": name}])).stages[0].name == name
