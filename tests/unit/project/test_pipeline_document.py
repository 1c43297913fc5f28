"""A project becomes the pipeline document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.project.load import validate_project
from handoff_kit.project.params_document import pipeline_document, state_choice, to_json
from handoff_kit.project.yaml_reader import parse_yaml
from handoff_runtime.pipeline import parse as runtime_parse

if TYPE_CHECKING:
    from handoff_kit.project.model import Project

WHOLE = """
vars: {base: JPY}
envs: [{key: TZ, value: UTC}]
state: singer
meter: bytes
venvs: {tap: [tap-jsonl]}
commands:
  - command: tap-jsonl
    args: --config .env/config/tap.json
    venv: tap
  - shell: grep foo | sort > out
    envs: {LC_ALL: C}
  - command: collector_stats
"""


def test_whole_document() -> None:
    document = pipeline_document(_project(WHOLE), "elements", "dev", _no_file)
    assert document == {
        "format": 1,
        "project": "elements",
        "environment": "dev",
        "vars": {"base": "JPY"},
        "envs": {"TZ": "UTC"},
        "state": "singer",
        "meter": "bytes",
        "overlap": "fail",
        "keep": {"runs": 90, "artifacts": 30, "states": 50},
        "stages": [
            {
                "name": "tap-jsonl",
                "argv": ["tap-jsonl", "--config", ".env/config/tap.json"],
                "venv": "venv/tap",
                "envs": {},
            },
            {"name": "grep", "shell": "grep foo | sort > out", "venv": None, "envs": {"LC_ALL": "C"}},
            {"name": "collector_stats", "builtin": "collector_stats", "venv": None, "envs": {}},
        ],
    }


def test_the_runtime_reads_it() -> None:
    pipeline = runtime_parse(pipeline_document(_project(WHOLE), "elements", "dev", _no_file))
    assert [stage.name for stage in pipeline.stages] == ["tap-jsonl", "grep", "collector_stats"]


NOT_GIVEN = "state: all, since no stage is given .artifacts/state and project.yml names no `state`"
TAP = "state: singer, since stage tap is given .artifacts/state and project.yml names no `state`"


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        pytest.param("commands: [{command: cat}]", "all", NOT_GIVEN, id="not given"),
        pytest.param("commands: [{shell: cat .artifacts/state}]", "all", NOT_GIVEN, id="read as any text"),
        pytest.param("commands: [{command: tap, args: --state=.artifacts/state}]", "singer", TAP, id="args"),
        pytest.param("commands: [{shell: 'tap -s .artifacts/state | tee x'}]", "singer", TAP, id="shell"),
        pytest.param(
            "{vars: {at: .artifacts/state}, commands: [{command: tap, args: ['--state', '{{ at }}']}]}",
            "singer",
            TAP,
            id="a placeholder's default",
        ),
        pytest.param(
            "{vars: {at: .artifacts/state}, envs: {AT: '{{ at }}'}, commands: [{shell: tap --state $AT}]}",
            "singer",
            TAP,
            id="a variable",
        ),
        pytest.param("{state: all, commands: [{command: tap, args: --state .artifacts/state}]}", "all", "", id="all"),
        pytest.param("{state: none, commands: [{command: dbt}]}", "none", "", id="none"),
    ],
)
def test_what_becomes_of_the_output_where_the_file_does_not_say(text: str, mode: str, why: str) -> None:
    project = _project(text)
    assert (pipeline_document(project, "foo", "dev", _no_file)["state"], state_choice(project)) == (mode, why)


@pytest.mark.parametrize(
    ("stages", "names"),
    [
        pytest.param("[{command: cat}, {command: /bin/cat}, {command: cat}]", ["cat", "cat-2", "cat-3"], id="numbered"),
        pytest.param(
            "[{command: cat}, {command: cat-2}, {command: cat}]", ["cat", "cat-2", "cat-3"], id="number taken"
        ),
        pytest.param("[{command: ./scripts/a.sh}]", ["a.sh"], id="basename"),
        pytest.param("[{shell: 'X=1 ./grep a | b'}]", ["grep"], id="shell's first word"),
        pytest.param("[{shell: '(/bin/cat; ls) | wc'}]", ["cat"], id="subshell"),
        pytest.param("[{shell: 'for i in 1 2; do echo $i; done'}]", ["shell"], id="shell's syntax"),
        pytest.param("[{shell: '> out'}, {shell: 'X=1'}]", ["out", "shell"], id="no program"),
        pytest.param("[{command: ./handoff}]", ["handoff-2"], id="the runtime's own"),
        pytest.param("[{command: handoff}, {command: bin/handoff}]", ["handoff-2", "handoff-3"], id="twice"),
        pytest.param("[{shell: 'handoff | cat'}]", ["handoff-2"], id="the runtime's own in a shell"),
        pytest.param(
            "[{command: ./Handoff}, {command: 'bin/handoff '}]", ["Handoff-2", "handoff-2"], id="looks like it"
        ),
        pytest.param('[{shell: "handoff\\u200b"}, {shell: "handoff\\u2060"}]', ["handoff_", "handoff_-2"], id="unseen"),
        pytest.param('[{shell: "\\e[2Jtap x"}, {command: ./grün}]', ["_[2Jtap", "grün"], id="an escape, and a letter"),
    ],
)
def test_names(stages: str, names: list[str]) -> None:
    document = pipeline_document(_project(f"commands: {stages}"), "foo", "dev", _no_file)
    assert [stage["name"] for stage in document["stages"]] == names


@pytest.mark.parametrize(
    ("stage", "files", "action"),
    [
        pytest.param("{command: collector_stats}", (), "builtin", id="by name"),
        pytest.param("{command: ./collector_stats}", (), "builtin", id="by name, here"),
        pytest.param("{command: ./impl/collector_stats.py, venv: ./venv/root}", (), "builtin", id="original path"),
        pytest.param("{command: scripts/python/collector_stats.py}", (), "builtin", id="the other original path"),
        pytest.param("{command: ./impl/collector_stats.py}", ("impl/collector_stats.py",), "argv", id="file is there"),
        pytest.param("{command: ./impl/collector_stats.py, args: x}", (), "argv", id="has args"),
        pytest.param("{command: ./other/collector_stats.py}", (), "argv", id="elsewhere"),
    ],
)
def test_builtin(stage: str, files: tuple[str, ...], action: str) -> None:
    document = pipeline_document(_project(f"commands: [{stage}]"), "foo", "dev", lambda path: path in files)
    assert set(document["stages"][0]) == {"name", action, "venv", "envs"}


def test_json_is_stable_and_readable() -> None:
    document: dict[str, Any] = {"b": "ü", "a": [1]}
    assert to_json(document) == '{\n  "b": "ü",\n  "a": [\n    1\n  ]\n}\n'
    assert json.loads(to_json(document)) == document


def _project(text: str) -> Project:
    return validate_project(parse_yaml(text, "project.yml"))


def _no_file(path: str) -> bool:
    del path
    return False
