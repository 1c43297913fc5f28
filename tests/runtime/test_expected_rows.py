"""`expect.rows_at_least`: a run whose stages succeed, but pass too few rows, fails and leaves the state unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import script

if TYPE_CHECKING:
    from doubles.runtime_project import Project

pytestmark = pytest.mark.takes(20)

MESSAGES = """printf '%s\\n' '{"type": "SCHEMA", "stream": "s", "schema": {}}' """
MESSAGES += (
    """'{"type": "RECORD", "stream": "s", "record": {"type": "RECORD"}}' '{"type": "STATE", "value": {"at": 1}}'"""
)
SINK = """cat > got; echo '{"at": 1}'"""
LARGE = script("import sys\nline = b'x' * 99 + b'\\n'\nfor _ in range(120):\n    sys.stdout.buffer.write(line * 1000)")
LARGE_SINGER = script(
    'import sys\nline = b\'{"type": "RECORD", "stream": "s", "record": {"a": "%s"}}\\n\' % (b"x" * 60)\n'
    'sys.stdout.buffer.write(b\'{"type": "SCHEMA", "stream": "s", "schema": {}}\\n\')\n'
    "for _ in range(120):\n    sys.stdout.buffer.write(line * 1000)"
)


@pytest.mark.parametrize(
    ("stages", "state", "wanted", "reason"),
    [
        pytest.param(["seq 2", "cat"], "all", 3, "stage seq passed on 2 rows, at least 3 expected", id="too few"),
        pytest.param(["seq 3", "cat"], "all", 3, None, id="as many"),
        pytest.param(["seq 9", "head -n 1", "cat"], "all", 2, "stage head passed on 1 row, at least 2 expected", id="last"),
        pytest.param(["true"], "all", 1, "stage true passed on 0 rows, at least 1 expected", id="one stage"),
        pytest.param(["echo 1"], "all", 1, None, id="one stage with a row"),
        pytest.param([MESSAGES, SINK], "singer", 1, None, id="a record"),
        pytest.param([MESSAGES, SINK], "singer", 2, "stage printf passed on 1 record, at least 2 expected", id="records"),
        pytest.param([LARGE, "wc -l"], "all", 120_000, None, id="many rows"),
        pytest.param(
            [LARGE_SINGER, SINK], "singer", 120_001, "stage python passed on 120,000 records, at least 120,001 expected",
            id="many records",
        ),
    ],
)  # fmt: skip
def test_rows_that_reach_the_last_stage(
    project: Project, stages: list[Any], state: str, wanted: int, reason: str | None
) -> None:
    project.keep(b'{"at": 0}\n')
    done = project.params(*stages, state=state, expect={"rows_at_least": wanted}).run()
    ended = (done.exit, done.record["outcome"], done.record["reason"] and _without_version(done.record["reason"]))
    assert ended == ((65, "failed", reason) if reason else (0, "succeeded", None))
    assert (done.state == b'{"at": 0}\n', done.record["state"]["replaced"]) == (bool(reason), not reason)
    assert done.verdicts.count("failed") == bool(reason)


def _without_version(reason: str) -> str:
    return reason.replace("python3.11", "python").replace("python3", "python")


def test_a_stage_that_failed_is_to_blame_before_the_rows(project: Project) -> None:
    project.params("exit 3", "cat", expect={"rows_at_least": 1})
    assert (project.run().exit, project.record()["culprit"]) == (3, "exit")


def test_rows_are_not_expected_of_a_function(project: Project) -> None:
    project.write("impl.py", "def mine(params, data):\n    pass\n")
    assert project.params("true", expect={"rows_at_least": 1}).run("mine").exit == 0


def test_a_meter_that_counts_no_rows(project: Project) -> None:
    done = project.params("true", "cat", expect={"rows_at_least": 1}).run("--meter", "bytes")
    assert (done.exit, done.stderr.splitlines()) == (
        64,
        [
            "error: meter: bytes found, rows expected: expect.rows_at_least is a number of rows",
            "hint: count rows: --meter rows; or take rows_at_least out of project.yml",
        ],
    )
