"""Which state a run leaves, as a table of what was there and what the last stage wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from handoff_runtime import state, workspace

OLD = b"old"
ONE, TWO = b'{"bookmarks": {"a": 1}}\n', b'{"bookmarks": {"a": 2}}\n'


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".artifacts").mkdir()


@pytest.mark.parametrize(
    ("mode", "succeeded", "output", "expected"),
    [
        pytest.param("all", True, b"new", b"new", id="all"),
        pytest.param("all", True, b"", OLD, id="all, empty"),
        pytest.param("all", False, b"new", OLD, id="all, failed"),
        pytest.param("all", True, b"\x00" * (3 << 20), b"\x00" * (3 << 20), id="all, long and binary"),
        pytest.param("none", True, b"new", OLD, id="a function leaves it alone"),
        pytest.param("singer", True, ONE + TWO, TWO, id="the last one"),
        pytest.param("singer", False, ONE + TWO, TWO, id="of a failed run too"),
        pytest.param("singer", True, ONE + TWO[:-1], ONE, id="cut short: no newline"),
        pytest.param("singer", True, ONE + b'{"bookma\n', ONE, id="broken"),
        pytest.param("singer", True, ONE + b"{}\n\n[1]\nnull\n5\n", ONE, id="empty or no object"),
        pytest.param("singer", True, ONE + b'{"type": "RECORD", "record": {}}\n', ONE, id="another message"),
        pytest.param("singer", True, b'{"type": "STATE", "value": {"a": 2}}\n', b'{"a": 2}\n', id="a tap's message"),
        pytest.param("singer", True, b'{"type": "STATE", "value": {}}\n', OLD, id="a tap's empty message"),
        pytest.param("singer", True, b"", OLD, id="none"),
        pytest.param("singer", True, ONE + b"x" * (3 << 20) + b"\n", ONE, id="before a long line"),
        pytest.param(
            "singer", True, b'{"a": "' + b"x" * (2 << 20) + b'"}\n', b'{"a": "' + b"x" * (2 << 20) + b'"}\n', id="long"
        ),
    ],
)
def test_keep(mode: str, succeeded: bool, output: bytes, expected: bytes) -> None:  # noqa: FBT001  # a table's column
    Path(workspace.STATE).write_bytes(OLD)
    Path(workspace.STDOUT).write_bytes(output)
    replaced = state.keep(mode, succeeded=succeeded)
    left = sorted(path.name for path in Path(".artifacts").iterdir())
    assert (Path(workspace.STATE).read_bytes() == expected, replaced, left) == (
        True,
        expected != OLD,
        ["state", "stdout.log"],
    )


@pytest.mark.parametrize(
    ("mode", "argv", "before", "after"),
    [
        pytest.param("singer", ["tap"], None, b"{}\n", id="singer, missing"),
        pytest.param("singer", ["tap"], b"", b"{}\n", id="singer, empty"),
        pytest.param("singer", ["tap"], OLD, OLD, id="singer, there"),
        pytest.param("all", ["tap", "--state", "./.artifacts/state"], None, b"{}\n", id="asked for"),
        pytest.param("all", ["tap", "--state", "other"], None, None, id="another file asked for"),
        pytest.param("all", ["cat", ".artifacts/state"], None, None, id="no --state"),
    ],
)
def test_seed(mode: str, argv: list[str], before: bytes | None, after: bytes | None) -> None:
    if before is not None:
        Path(workspace.STATE).write_bytes(before)
    state.seed(mode, [argv])
    found = Path(workspace.STATE).read_bytes() if Path(workspace.STATE).exists() else None
    assert found == after
