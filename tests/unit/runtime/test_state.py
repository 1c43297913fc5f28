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
    replaced = state.replace_state(mode, succeeded=succeeded)
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
        pytest.param(FIRST + b'{"b": 2}', b'{"b": 2}\n', id="the last without a newline"),
        pytest.param(b'{"b": 2}', b'{"b": 2}\n', id="one without a newline"),
        pytest.param(FIRST + b'{"b": 2', FIRST, id="cut short"),
        pytest.param(FIRST + b'{"b": {"c": 2}', FIRST, id="cut short behind a brace"),
        pytest.param(FIRST + b'{"b": 2}  \t', b'{"b": 2}  \t\n', id="blanks in place of the newline"),
        pytest.param(FIRST + b'{"type": "STATE", "value": {"b": 2}}', b'{"b": 2}\n', id="a message, no newline"),
        pytest.param(b'{"b": 2', None, id="only one cut short"),
        pytest.param(FIRST + b"\n\n \n", FIRST, id="blank lines after"),
        pytest.param(b"\n" + FIRST, FIRST, id="a blank line before"),
        pytest.param(FIRST + b"{}\n", FIRST, id="an empty object"),
        pytest.param(FIRST + b'[1]\n2\nnull\n"x"\n{\n', FIRST, id="no objects"),
        pytest.param(FIRST + b"\xff\xfe\n", FIRST, id="no text"),
        pytest.param(FIRST + b'{"type": "STATE", "value": {"b": [2]}}\n', b'{"b": [2]}\n', id="a STATE message"),
        pytest.param(
            b'{"type": "STATE", "value": {"b": [1.10, 12345678901234567890.123]}}\n',
            b'{"b": [1.10, 12345678901234567890.123]}\n',
            id="the numbers of a STATE message",
        ),
        pytest.param(FIRST + b'{"type": "STATE", "value": {}}\n', FIRST, id="an empty STATE"),
        pytest.param(FIRST + b'{"type": "STATE"}\n{"type": "STATE", "value": 3}\n', FIRST, id="a STATE of nothing"),
        pytest.param(FIRST + b'{"type": "RECORD", "record": {}}\n{"type": "SCHEMA"}\n', FIRST, id="other messages"),
        pytest.param(FIRST + b"[" * 100_000 + b"\n", FIRST, id="too deep"),
        pytest.param(LONG, LONG, id="longer than a block"),
        pytest.param(FIRST + LONG + b"x" * (BLOCK * 2), LONG, id="long ones before one cut short"),
        pytest.param(
            b'{"a": "' + b"x" * (BLOCK - 10) + b'"}' + b" " * 99,
            b'{"a": "' + b"x" * (BLOCK - 10) + b'"}' + b" " * 99 + b"\n",
            id="a brace before the edge of a block, blanks behind it",
        ),
        pytest.param(FIRST + b'\xef\xbb\xbf{"b": 2}\n', FIRST, id="a byte order mark, which the tap would not read"),
        pytest.param(FIRST + '{"b": 2}\n'.encode("utf-16"), FIRST, id="UTF-16, which the tap would not read"),
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


OTHERS = {
    "a level by its name": {"level": "INFO", "text": "loaded"},
    "a level in lower case": {"severity": "warning"},
    "python-json-logger": {"asctime": "2026-01-01 00:00:00,000", "levelname": "INFO", "message": "loaded 3 rows"},
    "a time and a message": {"time": "2026-01-01T00:00:00Z", "message": "loaded 3 rows"},
    "structlog": {"event": "loaded", "timestamp": "2026-01-01T00:00:00Z", "rows": 3},
    "pino": {"level": 30, "time": 1767225600000, "pid": 1, "msg": "loaded"},
    "ECS logging": {"@timestamp": "2026-01-01T00:00:00Z", "log.level": "info", "message": "loaded"},
    "a message alone": {"message": "loaded 3 rows"},
    "a metric": {"type": "counter", "metric": "record_count", "value": 3, "tags": {}},
    "a message of another protocol": {"type": "TRACE", "trace": {"type": "ERROR"}},
    "a batch": {"type": "BATCH", "stream": "a", "manifest": []},
}
STATES = {
    "plain": {"a": 1},
    "bookmarks": {"bookmarks": {"orders": {"updated_at": "2026-01-01"}}},
    "bookmarks as a list": {"bookmarks": [1]},
    "bookmarks and a level": {"bookmarks": {}, "level": "INFO", "message": "x y"},
    "bookmarks and a type": {"type": "INCREMENTAL", "bookmarks": {"a": 1}},
    "a stream under way": {"currently_syncing": "orders"},
    "a stream called level": {"level": 3},
    "a stream called event": {"event": "2026-01-01T00:00:00Z"},
    "streams called time and message": {"time": "2026-01-01", "message": "2026-01-01T00:00:00.000+01:00"},
    "a stream called message": {"message": {"id": 7}},
    "a value only": {"value": 3},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_json_is_no_state(name: str) -> None:
    line = json.dumps(OTHERS[name]).encode()
    assert [kept("singer", FIRST + line + end) for end in (b"", b"\n")] == [FIRST, FIRST]


@pytest.mark.parametrize("name", STATES)
def test_every_form_of_a_state_is_one(name: str) -> None:
    line = json.dumps(STATES[name]).encode()
    message = b'{"type": "STATE", "value": ' + line + b"}"
    assert [kept("singer", FIRST + each) for each in (line, line + b"\n", message)] == [line + b"\n"] * 3


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\n \n", None, id="blank lines"),
        pytest.param(b'{}\n{"type": "STATE", "value": {}}\n', None, id="states that say nothing"),
        pytest.param(b"\n{}\nloaded 3 rows\n[1]\n", b"loaded 3 rows", id="words"),
        pytest.param(b'{"message": "loaded 3 rows"}\n', b'{"message": "loaded 3 rows"}', id="a log record"),
        pytest.param(b'{"a": ', b'{"a":', id="cut short"),
        pytest.param(b"x" * BLOCK, b"x" * state.LONGEST_SHOWN, id="a long line"),
    ],
)
def test_the_first_line_that_is_no_state_can_be_shown(output: bytes, expected: bytes | None) -> None:
    STDOUT.write_bytes(output)
    assert state.first_other_line() == expected


def test_while_the_target_writes_its_last_line_may_be_unfinished() -> None:
    STDOUT.write_bytes(FIRST + b'{"b": 2}')
    assert state.last_emitted() == FIRST


def test_a_long_output_without_a_newline_is_read_in_little_memory() -> None:
    with STDOUT.open("wb") as file:
        file.write(FIRST)
        for _ in range(256):
            file.write(b"x" * BLOCK)
    tracemalloc.start()
    try:
        assert state.replace_state("singer", succeeded=True)
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
        state.replace_state("all", succeeded=True)
    assert (seen, STATE.read_bytes(), Path(".artifacts/state.new").exists()) == ([(b"new", b"old")], b"old", False)


def test_an_output_that_is_gone_keeps_the_state() -> None:
    STATE.write_bytes(b"old")
    for mode in ("all", "singer"):
        with pytest.raises(StoreError, match="No such file or directory; the state before this run is kept"):
            state.replace_state(mode, succeeded=True)
    assert STATE.read_bytes() == b"old"


def test_a_snapshot_is_size_and_checksum() -> None:
    assert state.snapshot() is None
    STATE.write_bytes(b"x" * (BLOCK + 3))
    assert state.snapshot() == state.Snapshot(BLOCK + 3, f"{zlib.crc32(b'x' * (BLOCK + 3)):08x}")


GIVEN = [
    "tap --state .artifacts/state",
    "tap --state=.artifacts/state",
    "tap -s .artifacts/state",
    "tap -s.artifacts/state",
    "tap -s=.artifacts/state",
    "tap --state ./.artifacts/../.artifacts//state",
    "tap --state-file .artifacts/state --config c",
    "tap --state /app/.artifacts/state",
]
QUOTED = [
    "tap --state '.artifacts/state'",
    'tap --state=".artifacts/state" | target',
    "tap --state .artifacts/state|target",
    "tap --state .artifacts/state;true",
    "(tap -s .artifacts/state)",
    'tap --state "$PWD/.artifacts/state"',
    'tap --state "$STATE_FILE"',
    "tap --state ${STATE_FILE}",
    "tap --state \\\n  .artifacts/state",
    "x=$(tap --state .artifacts/state)",
    "if true\nthen tap --config c --state .artifacts/state\nfi",
]
NOT_GIVEN = [
    "tap",
    "tap --state other",
    "tap --state .artifacts/state.json",
    "tap --state ../other/.artifacts/state",
    "tap --config .artifacts/state",
    "tap --statement=x .env/state",
    "cat .artifacts/state",
    "wc -l > .artifacts/state",
    "tap --state $OTHER",
    "tap-s .artifacts/state",
]


@pytest.mark.parametrize("line", GIVEN + QUOTED + NOT_GIVEN)
def test_whether_a_stage_is_given_the_state_file(line: str) -> None:
    envs, given = {"STATE_FILE": ".artifacts/state"}, line not in NOT_GIVEN
    assert state.reads_state(["sh", "-c", line], envs) == given
    if line not in QUOTED:
        assert state.reads_state(line.split(), envs) == given


@pytest.mark.parametrize(
    ("mode", "given", "seeded"),
    [("singer", False, True), ("all", True, True), ("none", True, True), ("all", False, False), ("none", False, False)],
)
def test_an_empty_object_is_seeded(mode: str, given: bool, seeded: bool) -> None:  # noqa: FBT001
    assert (state.create_empty_state(mode, given=given), STATE.exists()) == (seeded, seeded)
    assert not seeded or json.loads(STATE.read_text()) == {}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b'{"a": 1}', None, id="one"),
        pytest.param(b'{\n  "a": 1\n}\n', None, id="one on several lines"),
        pytest.param(b'{"a": 1}\n{"a": 2}\n', (2, b'{"a": 2}'), id="JSON Lines"),
        pytest.param(b'{"a": 1}\nnext\n', (2, b"next"), id="words after it"),
        pytest.param(b"3 rows\n", (1, b"3 rows"), id="words that begin with a number"),
        pytest.param(b"loaded\n{}\n", (1, b"loaded"), id="words before it"),
        pytest.param(b'{"a":\n', (2, b""), id="cut short"),
        pytest.param(b'{"\xc3\xbc": 1}\n\xff\n', (2, b"\xff"), id="no text"),
        pytest.param(b'{"\xc3\xbc": 1}\n\xc3\xa9t\xc3\xa9\n', (2, b"\xc3\xa9t\xc3\xa9"), id="more than ASCII"),
        pytest.param(b"[" * 100_000, (1, b"[" * state.LONGEST_SHOWN), id="too deep"),
    ],
)
def test_the_line_that_keeps_an_output_from_being_one_document(
    output: bytes, expected: tuple[int, bytes] | None
) -> None:
    STDOUT.write_bytes(output)
    assert state.find_invalid_json() == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param(b'{"a": 1}\n{"b": 2}\n', (2, b'{"b": 2}'), id="JSON Lines"),
        pytest.param(b'{"a":\n 1}\n', None, id="one document"),
    ],
)
def test_an_output_too_large_for_memory_is_known_by_its_first_line(
    output: bytes, expected: tuple[int, bytes] | None
) -> None:
    with STDOUT.open("wb") as file:
        file.write(output)
        file.truncate(state.MOST_PARSED + 1)
    found = state.find_invalid_json()
    assert (found and (found[0], found[1][:8])) == expected


@pytest.mark.parametrize(("content", "seeded"), [(b"", True), (b"x", False), (b"{}\n", False)])
def test_a_state_that_is_there_is_left_alone(content: bytes, seeded: bool) -> None:  # noqa: FBT001
    STATE.write_bytes(content)
    assert (state.create_empty_state("singer", given=False), STATE.read_bytes()) == (
        seeded,
        b"{}\n" if seeded else content,
    )


@pytest.mark.parametrize(
    ("content", "left"), [(b"{}\n", False), (b"{}\n{}\n", True), (b"{}", True), (b"mine", True), (None, False)]
)
def test_only_what_was_seeded_is_withdrawn(content: bytes | None, left: bool) -> None:  # noqa: FBT001
    if content is not None:
        STATE.write_bytes(content)
    state.remove_empty_state()
    assert STATE.exists() == left


def test_a_state_nobody_can_read_is_an_error() -> None:
    STATE.mkdir()
    with pytest.raises(StoreError, match=r"\.artifacts/state: a directory found, a readable file expected"):
        state.snapshot()
    assert stat.S_ISDIR(STATE.stat().st_mode)


# links


def test_a_link_to_another_artifact_stays() -> None:
    Path(".artifacts/dir").mkdir()
    Path(".artifacts/dir/mine").write_bytes(b"old")
    STATE.symlink_to("dir/mine")
    STDOUT.write_bytes(b"new")
    assert state.replace_state("all", succeeded=True)
    assert (str(STATE.readlink()), STATE.read_bytes()) == ("dir/mine", b"new")
    assert sorted(os.listdir(".artifacts/dir")) == ["mine"]  # noqa: PTH208


def test_a_link_to_a_state_that_is_not_there_yet_stays() -> None:
    STATE.symlink_to("mine")
    assert (state.snapshot(), state.create_empty_state("singer", given=True)) == (None, True)
    state.remove_empty_state()
    assert (str(STATE.readlink()), Path(".artifacts/mine").exists()) == ("mine", False)
    state.set_aside()
    assert state.create_empty_state("singer", given=True)
    state.restore()
    assert (str(STATE.readlink()), os.listdir(".artifacts")) == ("mine", ["state"])  # noqa: PTH208


@pytest.mark.parametrize("content", [None, b"precious"])
def test_a_link_that_leads_out_is_refused_before_a_run_and_replaced_after_it(content: bytes | None) -> None:
    place = Path("precious")
    if content:
        place.write_bytes(content)
    STATE.symlink_to("../precious")
    with pytest.raises(StoreError) as caught:
        state.snapshot()
    why = "a link to precious found, which is outside of .artifacts, a readable file expected"
    assert caught.value.message == f".artifacts/state: {why}"
    assert kept("all", b"new") == b"new"
    assert (STATE.is_symlink(), place.read_bytes() if place.exists() else None) == (False, content)
