"""The status of projects: what lies here compared with what is there, and how it is shown."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from handoff_kit.deploy.schedule_template import ScheduleSummary
from handoff_kit.names import ProjectPlace
from handoff_kit.remote import fingerprint
from handoff_kit.remote.stack import Stack
from handoff_kit.stacks.deployed import Deployed
from handoff_kit.status import shown
from handoff_kit.status.account import Account, Stored
from handoff_kit.status.detail import Detail
from handoff_kit.status.here import Here
from handoff_kit.status.row import Row, Scheduled, row
from handoff_runtime.aws.lease import Found

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NAME = "handoff-dev-shop"
STACK = Stack("shop", "dev", NAME, "bucket", "--project shop", cast("Any", None))
DOCUMENT = {"format": 1, "pipeline": {"project": "shop"}, "files": [{"name": "a", "value": "hunter2"}]}
HERE = Here(ProjectPlace("shop", Path("/nowhere")), None, "aaaaaaaaaaaa", DOCUMENT)
TASK = Deployed(NAME, "UPDATE_COMPLETE", outputs={"Source": "aaaaaaaaaaaa"})
IN_STEP = Stored(3, fingerprint.of(DOCUMENT, NAME))
RAN = {
    "run_id": "R",
    "started_at": "2026-03-01T02:00:00.000Z",
    "outcome": "succeeded",
    "exit": 0,
    "seconds": 12.0,
    "trigger": "schedule",
}
BEFORE = Row("shop", "dev", NAME, "--project shop", None, "none", None, "aaaaaaaaaaaa", "none", None)


def schedules(*entries: dict[str, str]) -> Deployed:
    outputs, tags = {"Schedules": json.dumps(entries)}, {"handoff:project": "shop"}
    return Deployed(f"{NAME}-schedule", "CREATE_COMPLETE", outputs=outputs, tags=tags)


def one(name: str, expression: str, zone: str = "UTC", state: str = "ENABLED") -> dict[str, str]:
    return {"name": name, "expression": expression, "timezone": zone, "state": state}


def compared(
    *stacks: Deployed, here: Here = HERE, stored: Stored | None = None, lock: Found | str | None = None
) -> Row:
    params = {f"{NAME}__params": stored} if stored else {}
    return row(here, STACK, lock, Account({stack.name: stack for stack in stacks}, params), NOW)


def lock(entry: Any, *, released: bool = True, age: float = 0) -> Found:
    return Found({"entry": entry, "released": released, "lease_seconds": 90}, "etag", age)


def test_nothing_is_there() -> None:
    assert compared() == BEFORE


@pytest.mark.parametrize(
    ("source", "tag", "expected"),
    [
        pytest.param("aaaaaaaaaaaa", "aaaaaaaaaaaa", "in step", id="the same"),
        pytest.param("bbbbbbbbbbbb", "aaaaaaaaaaaa", "differs", id="another"),
        pytest.param("bbbbbbbbbbbb", None, "unknown", id="which cannot be built"),
    ],
)
def test_the_image(source: str, tag: str | None, expected: str) -> None:
    found = compared(
        Deployed(NAME, "UPDATE_COMPLETE", outputs={"Source": source}), here=Here(HERE.place, None, tag, DOCUMENT)
    )
    assert (found.status, found.image, found.source, found.tag) == ("UPDATE_COMPLETE", expected, source, tag)


@pytest.mark.parametrize(
    ("stored", "document", "expected"),
    [
        pytest.param(None, DOCUMENT, ("none", None), id="none"),
        pytest.param(IN_STEP, DOCUMENT, ("in step", 3), id="the same"),
        pytest.param(IN_STEP, dict(reversed(DOCUMENT.items())), ("in step", 3), id="the same in another order"),
        pytest.param(IN_STEP, {**DOCUMENT, "files": []}, ("differs", 3), id="another"),
        pytest.param(IN_STEP, None, ("unknown", 3), id="which cannot be made"),
        pytest.param(Stored(2, None), DOCUMENT, ("unknown", 2), id="stored by an earlier version"),
    ],
)
def test_the_params(stored: Stored | None, document: dict[str, Any] | None, expected: tuple[str, int | None]) -> None:
    found = compared(TASK, here=Here(HERE.place, None, "aaaaaaaaaaaa", document), stored=stored)
    assert (found.params, found.version) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param([], ("stored only", ("a",)), id="a fresh clone"),
        pytest.param([{"name": "b", "value": "1"}], ("differs", ("a",)), id="another file too"),
        pytest.param([{"name": "a", "value": "1"}], ("differs", ()), id="another value"),
    ],
)
def test_params_that_are_stored_only(files: list[Any], expected: tuple[str, tuple[str, ...]]) -> None:
    here = Here(HERE.place, None, "aaaaaaaaaaaa", {**DOCUMENT, "files": files})
    account = Account({NAME: TASK}, {f"{NAME}__params": IN_STEP})
    found = row(here, STACK, None, account, NOW, read=lambda _: DOCUMENT)
    assert (found.params, found.stored_only, found.is_behind) == (*expected, expected[0] == "differs")


def test_params_that_may_not_be_seen() -> None:
    assert row(HERE, STACK, None, Account({}, notes=("error: no",)), NOW).params == "unknown"


def test_a_fingerprint_is_of_one_stack_and_tells_nothing_else() -> None:
    told = fingerprint.described(DOCUMENT, NAME)
    assert fingerprint.read(told) == fingerprint.of(DOCUMENT, NAME) != fingerprint.of(DOCUMENT, "another")
    assert (fingerprint.read("mine"), fingerprint.read(""), "hunter2" in told) == (None, None, False)


def test_the_schedule_that_fires_first() -> None:
    given = (
        one("nightly", "cron(0 2 * * ? *)", "Europe/Berlin"),
        one("noon", "cron(30 12 * * ? *)"),
        one("off", "cron(5 12 * * ? *)", state="DISABLED"),
        one("often", "rate(5 minutes)"),
    )
    found = compared(TASK, schedules(*given))
    assert found.next == Scheduled(
        ScheduleSummary("noon", "cron(30 12 * * ? *)", "UTC", "ENABLED"),
        datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc),
    )
    assert [(one.entry.name, one.coming is None) for one in found.schedules] == [
        ("nightly", False),
        ("noon", False),
        ("off", True),
        ("often", True),
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(None, None, id="never"),
        pytest.param(lock(RAN), RAN, id="ended"),
        pytest.param(
            lock(RAN | {"outcome": "running"}, released=False, age=10), RAN | {"outcome": "running"}, id="under way"
        ),
        pytest.param(
            lock(RAN | {"outcome": "running"}, released=False, age=92), RAN | {"outcome": "killed"}, id="killed"
        ),
        pytest.param(lock(None), None, id="before there were entries"),
        pytest.param(lock("what?"), None, id="something else"),
    ],
)
def test_the_last_run(found: Found | None, expected: dict[str, Any] | None) -> None:
    assert compared(TASK, lock=found).last == expected


def test_a_lock_that_may_not_be_seen() -> None:
    assert compared(TASK, lock="error: no").unseen


ALL = compared(
    TASK,
    schedules(one("nightly", "cron(0 2 * * ? *)", "Europe/Berlin"), one("off", "rate(1 day)", state="DISABLED")),
    stored=IN_STEP,
    lock=lock(RAN | {"outcome": "failed", "exit": 3, "reason": "stage cat ended with exit 3"}),
)


def test_a_table() -> None:
    often = compared(Deployed(NAME, "UPDATE_ROLLBACK_COMPLETE"), schedules(one("often", "rate(5 minutes)")), lock="no")
    assert shown.table_of([ALL, BEFORE, often]) == (
        "PROJECT  STACK                     IMAGE    PARAMS   NEXT RUN           LAST RUN              OUTCOME\n"
        "shop     deployed                  in step  in step  2026-03-02T01:00Z  2026-03-01T02:00:00Z  failed (3)\n"
        "shop     none                      none     none     -                  -                     -\n"
        "shop     UPDATE_ROLLBACK_COMPLETE  none     none     rate(5 minutes)    -                     ?\n"
    )


def test_a_page() -> None:
    assert shown.page(ALL, Detail("in step: 2", ("TASK RUNNING",))) == (
        "project    shop (dev)\n"
        "stack      handoff-dev-shop: UPDATE_COMPLETE\n"
        "image      in step: aaaaaaaaaaaa\n"
        "params     in step: version 3\n"
        "files      in step: 2\n"
        "schedule   nightly: cron(0 2 * * ? *) Europe/Berlin, next 2026-03-02 02:00 there, 2026-03-02 01:00 UTC\n"
        "schedule   off: rate(1 day) UTC, off\n"
        "last run   R of 2026-03-01T02:00:00Z (schedule): failed (3) after 12.0 s: stage cat ended with exit 3\n"
        "task       TASK RUNNING\n"
    )


def test_json() -> None:
    assert json.loads(shown.to_json([ALL])) == {
        "project": "shop",
        "environment": "dev",
        "stack": {"name": NAME, "status": "UPDATE_COMPLETE"},
        "image": {"state": "in step", "deployed": "aaaaaaaaaaaa", "here": "aaaaaaaaaaaa"},
        "params": {"state": "in step", "version": 3, "stored_only": []},
        "schedules": [
            {
                "name": "nightly",
                "expression": "cron(0 2 * * ? *)",
                "timezone": "Europe/Berlin",
                "enabled": True,
                "next": "2026-03-02T01:00:00Z",
            },
            {"name": "off", "expression": "rate(1 day)", "timezone": "UTC", "enabled": False, "next": None},
        ],
        "next_run": "2026-03-02T01:00:00Z",
        "last_run": RAN | {"outcome": "failed", "exit": 3, "reason": "stage cat ended with exit 3"},
        "problems": [],
    }


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], "invoke new --project NAME", id="no project"),
        pytest.param([BEFORE], "invoke deploy --project shop", id="not deployed"),
        pytest.param([ALL], "invoke logs --project shop", id="failed"),
        pytest.param([compared(TASK, stored=IN_STEP)], "invoke run --project shop", id="all is well"),
        pytest.param([compared(TASK, stored=Stored(1, "0" * 32))], "invoke deploy --project shop", id="differs"),
        pytest.param(
            [compared(TASK, here=Here(HERE.place, problems=("x",)))], "invoke check --project shop", id="broken"
        ),
    ],
)
def test_what_next(rows: list[Row], expected: str) -> None:
    assert shown.after(rows) == expected
