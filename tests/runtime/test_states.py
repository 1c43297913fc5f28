"""The table of states in docs/concepts/state.md, replayed row by row: the kit renders the project, the runtime runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import ROOT

from handoff_kit.project.load import validate_project
from handoff_kit.project.params_document import pipeline_document
from handoff_kit.project.yaml_reader import parse_yaml

if TYPE_CHECKING:
    from doubles.runtime_project import Project

PAGE = ROOT / "docs" / "concepts" / "state.md"
OLD = b'{"old": 1}'
TARGET = 'cat >/dev/null; printf %s "$1"; exit "$2"'


def rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").partition("<!-- states -->")[2].lstrip("\n").splitlines()
    table = lines[2 : next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def shown(text: bytes | None) -> str:
    return "unchanged" if text == OLD else f"`{(text or b'').decode()}`".replace("\n", "\\n")


EARLY = ", one row of many read"


def printed(cell: str) -> str:
    return "" if cell == "nothing" else cell.strip("`").replace("\\n", "\n")


def document(mode: str, given: str, output: str, code: str) -> dict[str, Any]:
    """The pipeline as the kit renders it of a project file with such a tap and target."""
    early = output.endswith(EARLY)
    target = TARGET.replace("cat >/dev/null", "read first") if early else TARGET
    stages = [
        {
            "command": "sh",
            "args": [
                "-c",
                f"seq {1_000_000 if early else 3}",
                "tap",
                *(["--state", ".artifacts/state"] if given == "yes" else []),
            ],
        },
        {"command": "sh", "args": ["-c", target, "target", printed(output.removesuffix(EARLY)), code]},
    ]
    state = {} if mode == "not written" else {"state": mode.strip("`")}
    source = parse_yaml(json.dumps({**state, "commands": stages}), "project.yml")
    return pipeline_document(validate_project(source), "sample", "dev", lambda _path: False)


def test_the_table_is_there() -> None:
    assert len(rows()) >= 25
    assert len({tuple(row[:4]) for row in rows()}) == len(rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: " ".join(row[:4]))
def test_a_row_of_the_table_is_true(project: Project, row: list[str]) -> None:
    mode, given, output, code, run, after = row
    project.keep(OLD)
    project.params_file.write_text(
        json.dumps({"format": 1, "pipeline": document(mode, given, output, code), "files": []})
    )
    done = project.run()
    word = done.record["outcome"] + (f" ({done.exit})" if done.exit else "")
    warned = ", a warning" if any(line.startswith("warning: ") for line in done.said("handoff")) else ""
    assert (f"{word}{warned}", shown(done.state)) == (run, after)
    assert done.record["state"]["replaced"] == (after != "unchanged")
