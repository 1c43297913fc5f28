"""States stored while a run goes on: the newest, not too often, and a store that refuses is no end of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_runtime.aws.retry import RetryHooks
from handoff_runtime.aws.state import CHECKPOINT, StateCheckpoints, StoredState
from handoff_runtime.errors import StoreError
from handoff_runtime.workspace import STDOUT

if TYPE_CHECKING:
    from handoff_runtime.aws.upload import FileSlice


class Shelf:
    """A store that notes what is put there, and on which condition."""

    def __init__(self) -> None:
        self.put_there: list[tuple[str, str | None]] = []
        self.said: list[str] = []
        self.refusals = 0
        self.effects = RetryHooks(self.said.append)

    def call(self, *_call: object, Body: FileSlice, **request: Any) -> dict[str, str]:  # noqa: N803  # S3's name
        if self.refusals:
            self.refusals -= 1
            raise StoreError("not now", "later")
        self.put_there.append((Body.read().decode().strip(), request.get("IfMatch")))
        return {"ETag": f"etag-{len(self.put_there)}"}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.chdir(tmp_path)
    Path(".artifacts").mkdir()
    return Shelf()


def emit(text: str) -> None:
    with Path(STDOUT).open("a") as file:
        file.write(text)


def until_said(shelf: Shelf, count: int) -> None:
    end = time.monotonic() + 5
    while len(shelf.put_there) < count and time.monotonic() < end:
        time.sleep(0.005)


def looking(shelf: Shelf, base: StoredState | None = None, apart: float = 0.0) -> StateCheckpoints:
    return StateCheckpoints(cast("Any", shelf), "bucket", "stack", base, interval=0.01, put_interval=apart)


def test_each_new_state_replaces_the_one_before(shelf: Shelf) -> None:
    emit('{"at": 1}\n{"at": 2}\n{"at": ')
    looks = looking(shelf, StoredState("etag-0", 3, full=True))
    until_said(shelf, 1)
    emit("3}\n")
    until_said(shelf, 2)
    time.sleep(0.05)
    assert looks.stop() == StoredState("etag-2", 10, full=True)
    assert shelf.put_there == [('{"at": 2}', "etag-0"), ('{"at": 3}', "etag-1")]
    assert (Path(CHECKPOINT).exists(), shelf.said) == (False, [])


@pytest.mark.parametrize("text", ["", "{}\n", '{"at": 1}', "words\n", '{"type": "RECORD", "record": {}}\n'])
def test_what_is_no_state_is_not_stored(shelf: Shelf, text: str) -> None:
    emit(text)
    looks = looking(shelf)
    time.sleep(0.05)
    assert (looks.stop(), shelf.put_there) == (None, [])


def test_not_more_often_than_asked_for(shelf: Shelf) -> None:
    looks = looking(shelf, apart=60.0)
    for number in range(5):
        emit(f'{{"at": {number}}}\n')
        time.sleep(0.02)
    looks.stop()
    assert len(shelf.put_there) == 1


def test_a_store_that_refuses_is_asked_again(shelf: Shelf) -> None:
    shelf.refusals = 2
    emit('{"at": 1}\n')
    looks = looking(shelf)
    until_said(shelf, 1)
    assert (looks.stop(), shelf.put_there) == (StoredState("etag-1", 10, full=True), [('{"at": 1}', None)])
    assert shelf.said == ["state not stored yet: not now"] * 2
    assert not Path(CHECKPOINT).exists()
