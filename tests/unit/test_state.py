"""The state: which bytes a run earned, and that they are there whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
import zlib
from pathlib import Path

import pytest

from handoff_runtime import state
from handoff_runtime.errors import StoreError

STATE, STDOUT = Path(".artifacts/state"), Path(".artifacts/stdout.log")
BLOCK = state.BLOCK


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".artifacts").mkdir()


def kept(mode: str, output: bytes, *, succeeded: bool = True) -> bytes | None:
    STDOUT.write_bytes(output)
    replaced = state.keep(mode, succeeded=succeeded)
    found = STATE.read_bytes() if STATE.exists() else None
    assert replaced == (found is not None)
    assert sorted(os.listdir(".artifacts")) == sorted(["stdout.log", *(["state"] if found else [])])  # noqa: PTH208
    return found


@pytest.mark.parametrize("output", [b"x", b"\0\xff\n", b"a" * BLOCK, b"a" * (3 * BLOCK + 1)])
def test_all_is_everything_a_run_that_succeeded_wrote(output: bytes) -> None:
    assert kept("all", output) == output


@pytest.mark.parametrize(
    ("mode", "output", "succeeded"),
    [
        ("all", b"", True),
        ("all", b"x", False),
        ("none", b'{"a": 1}\n', True),
        ("singer", b"", True),
        ("singer", b"x\n", True),
    ],
)
def test_what_is_not_earned_is_not_kept(mode: str, output: bytes, succeeded: bool) -> None:  # noqa: FBT001
    assert kept(mode, output, succeeded=succeeded) is None


FIRST, LONG = b'{"a": 1}\n', b'{"a": "' + b"x" * (BLOCK * 2 + 17) + b'"}\n'


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(FIRST, FIRST, id="one"),
        pytest.param(FIRST + b'{"b": 2}\n', b'{"b": 2}\n', id="the last"),
        pytest.param(FIRST + b'{"b": 2}', FIRST, id="no newline: cut short"),
        pytest.param(b'{"b": 2}', None, id="only one cut short"),
        pytest.param(FIRST + b"\n\n \n", FIRST, id="blank lines after"),
        pytest.param(b"\n" + FIRST, FIRST, id="a blank line before"),
        pytest.param(FIRST + b"{}\n", FIRST, id="an empty object"),
        pytest.param(FIRST + b'[1]\n2\nnull\n"x"\n{\n', FIRST, id="no objects"),
        pytest.param(FIRST + b"\xff\xfe\n", FIRST, id="no text"),
        pytest.param(FIRST + b'{"type": "STATE", "value": {"b": [2]}}\n', b'{"b": [2]}\n', id="a STATE message"),
        pytest.param(FIRST + b'{"type": "STATE", "value": {}}\n', FIRST, id="an empty STATE"),
        pytest.param(FIRST + b'{"type": "STATE"}\n{"type": "STATE", "value": 3}\n', FIRST, id="a STATE of nothing"),
        pytest.param(FIRST + b'{"type": "RECORD", "record": {}}\n{"type": "SCHEMA"}\n', FIRST, id="other messages"),
        pytest.param(FIRST + b"[" * 100_000 + b"\n", FIRST, id="too deep"),
        pytest.param(LONG, LONG, id="longer than a block"),
        pytest.param(FIRST + LONG + b"x" * (BLOCK * 2), LONG, id="long ones before one cut short"),
        pytest.param(LONG + b"x" * (BLOCK - 1) + b"\n", LONG, id="at the edge of a block"),
        pytest.param(b"y" * (BLOCK - len(FIRST)) + b"\n" + FIRST, FIRST, id="just behind the edge"),
        pytest.param(
            b"y" * (BLOCK - 1) + b"\n" + FIRST + b"z" * (BLOCK - len(FIRST) - 1) + b"\n", FIRST, id="newline at it"
        ),
        pytest.param(b'{"type": "x", "b": 1}\n', b'{"type": "x", "b": 1}\n', id="a state with a type of its own"),
    ],
)
@pytest.mark.parametrize("succeeded", [True, False])
def test_singer_is_the_last_valid_line(output: bytes, expected: bytes | None, succeeded: bool) -> None:  # noqa: FBT001
    assert kept("singer", output, succeeded=succeeded) == expected


def test_a_long_output_without_a_newline_is_read_in_little_memory() -> None:
    with STDOUT.open("wb") as file:
        file.write(FIRST)
        for _ in range(256):
            file.write(b"x" * BLOCK)
    tracemalloc.start()
    try:
        assert state.keep("singer", succeeded=True)
        assert tracemalloc.get_traced_memory()[1] < 4 * BLOCK
    finally:
        tracemalloc.stop()
    assert STATE.read_bytes() == FIRST


def test_the_old_state_stays_until_the_new_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    STATE.write_bytes(b"old")
    STDOUT.write_bytes(b"new")
    seen: list[tuple[bytes, bytes]] = []

    def rename(source: str, target: str) -> None:
        seen.append((Path(source).read_bytes(), Path(target).read_bytes()))
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(StoreError, match=r"\.artifacts/state: Input/output error; the state before this run is kept"):
        state.keep("all", succeeded=True)
    assert (seen, STATE.read_bytes(), Path(".artifacts/state.new").exists()) == ([(b"new", b"old")], b"old", False)


def test_an_output_that_is_gone_keeps_the_state() -> None:
    STATE.write_bytes(b"old")
    for mode in ("all", "singer"):
        with pytest.raises(StoreError, match="No such file or directory; the state before this run is kept"):
            state.keep(mode, succeeded=True)
    assert STATE.read_bytes() == b"old"


def test_a_snapshot_is_size_and_checksum() -> None:
    assert state.snapshot() is None
    STATE.write_bytes(b"x" * (BLOCK + 3))
    assert state.snapshot() == state.Snapshot(BLOCK + 3, f"{zlib.crc32(b'x' * (BLOCK + 3)):08x}")


@pytest.mark.parametrize(
    ("mode", "argv", "seeded"),
    [
        ("singer", ["tap"], True),
        ("all", ["tap", "--state", ".artifacts/state"], True),
        ("all", ["tap", "--state", "./.artifacts/../.artifacts/state"], True),
        ("all", ["tap", "--state", "other"], False),
        ("all", ["tap", ".artifacts/state"], False),
        ("none", ["tap"], False),
    ],
)
def test_an_empty_object_is_seeded_for_who_asks(mode: str, argv: list[str], seeded: bool) -> None:  # noqa: FBT001
    assert (state.seed(mode, [["cat"], argv]), STATE.exists()) == (seeded, seeded)
    assert not seeded or json.loads(STATE.read_text()) == {}


@pytest.mark.parametrize(("content", "seeded"), [(b"", True), (b"x", False), (b"{}\n", False)])
def test_a_state_that_is_there_is_left_alone(content: bytes, seeded: bool) -> None:  # noqa: FBT001
    STATE.write_bytes(content)
    assert (state.seed("singer", []), STATE.read_bytes()) == (seeded, b"{}\n" if seeded else content)


@pytest.mark.parametrize(
    ("content", "left"), [(b"{}\n", False), (b"{}\n{}\n", True), (b"{}", True), (b"mine", True), (None, False)]
)
def test_only_what_was_seeded_is_withdrawn(content: bytes | None, left: bool) -> None:  # noqa: FBT001
    if content is not None:
        STATE.write_bytes(content)
    state.withdraw()
    assert STATE.exists() == left


def test_a_state_nobody_can_read_is_an_error() -> None:
    STATE.mkdir()
    with pytest.raises(StoreError, match=r"\.artifacts/state: a directory found, a readable file expected"):
        state.snapshot()
    assert stat.S_ISDIR(STATE.stat().st_mode)
