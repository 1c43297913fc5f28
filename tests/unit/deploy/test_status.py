"""The status of projects: what lies here compared with what is there, and how it is status_output."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from handoff_kit.aws.alerts import Subscribers
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.params import describe_fingerprint, params_fingerprint, read_fingerprint
from handoff_kit.aws.target import Target
from handoff_kit.deploy import status_output
from handoff_kit.deploy.schedule_template import ScheduleSummary
from handoff_kit.deploy.status import (
    AccountSnapshot,
    LocalProject,
    ParamsVersion,
    ProjectDetail,
    ProjectStatus,
    ScheduleStatus,
    compare_project,
)
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_runtime.aws.lease import StoredLease

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NAME = "handoff-dev-shop"
STACK = Target("shop", "dev", NAME, "bucket", "--project shop", cast("Any", None))
DOCUMENT = {"format": 1, "pipeline": {"project": "shop"}, "files": [{"name": "a", "value": "hunter2"}]}
HERE = LocalProject(ProjectPaths("shop", Path("/nowhere")), None, "aaaaaaaaaaaa", DOCUMENT)
TASK = StackDescription(NAME, "UPDATE_COMPLETE", outputs={"Source": "aaaaaaaaaaaa", "Base": "2026-01-31"})
UP_TO_DATE = ParamsVersion(3, params_fingerprint(DOCUMENT, NAME))
RAN = {
    "run_id": "R",
    "started_at": "2026-03-01T02:00:00.000Z",
    "outcome": "succeeded",
    "exit": 0,
    "seconds": 12.0,
    "trigger": "schedule",
}
BEFORE = ProjectStatus("shop", "dev", NAME, "--project shop", None, "none", None, "aaaaaaaaaaaa", "none", None)


def schedules(*entries: dict[str, str]) -> StackDescription:
    outputs, tags = {"Schedules": json.dumps(entries)}, {"handoff:project": "shop", "handoff:environment": "dev"}
    return StackDescription(f"{NAME}-schedule", "CREATE_COMPLETE", outputs=outputs, tags=tags)


def one(name: str, expression: str, zone: str = "UTC", state: str = "ENABLED") -> dict[str, str]:
    return {"name": name, "expression": expression, "timezone": zone, "state": state}


def compared(
    *stacks: StackDescription,
    here: LocalProject = HERE,
    stored: ParamsVersion | None = None,
    lock: StoredLease | str | None = None,
) -> ProjectStatus:
    params = {f"{NAME}__params": stored} if stored else {}
    return compare_project(here, STACK, lock, AccountSnapshot({stack.name: stack for stack in stacks}, params), NOW)


def lock(entry: Any, *, released: bool = True, age: float = 0) -> StoredLease:
    return StoredLease({"entry": entry, "released": released, "lease_seconds": 90}, "etag", age)


def test_nothing_is_there() -> None:
    assert compared() == BEFORE


@pytest.mark.parametrize(
    ("source", "tag", "expected"),
    [
        pytest.param("aaaaaaaaaaaa", "aaaaaaaaaaaa", "up to date", id="the same"),
        pytest.param("bbbbbbbbbbbb", "aaaaaaaaaaaa", "out of date", id="another"),
        pytest.param("bbbbbbbbbbbb", None, "unknown", id="which cannot be built"),
    ],
)
def test_the_image(source: str, tag: str | None, expected: str) -> None:
    found = compared(
        StackDescription(NAME, "UPDATE_COMPLETE", outputs={"Source": source}),
        here=LocalProject(HERE.paths, None, tag, DOCUMENT),
    )
    assert (found.stack_status, found.image, found.deployed_tag, found.local_tag) == (
        "UPDATE_COMPLETE",
        expected,
        source,
        tag,
    )


@pytest.mark.parametrize(
    ("stored", "document", "expected"),
    [
        pytest.param(None, DOCUMENT, ("none", None), id="none"),
        pytest.param(UP_TO_DATE, DOCUMENT, ("up to date", 3), id="the same"),
        pytest.param(UP_TO_DATE, dict(reversed(DOCUMENT.items())), ("up to date", 3), id="the same in another order"),
        pytest.param(UP_TO_DATE, {**DOCUMENT, "files": []}, ("out of date", 3), id="another"),
        pytest.param(UP_TO_DATE, None, ("unknown", 3), id="which cannot be made"),
        pytest.param(ParamsVersion(2, None), DOCUMENT, ("unknown", 2), id="stored by an earlier version"),
    ],
)
def test_the_params(
    stored: ParamsVersion | None, document: dict[str, Any] | None, expected: tuple[str, int | None]
) -> None:
    found = compared(TASK, here=LocalProject(HERE.paths, None, "aaaaaaaaaaaa", document), stored=stored)
    assert (found.params, found.params_version) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param([], ("stored only", ("a",)), id="a fresh clone"),
        pytest.param([{"name": "b", "value": "1"}], ("out of date", ("a",)), id="another file too"),
        pytest.param([{"name": "a", "value": "1"}], ("out of date", ()), id="another value"),
    ],
)
def test_params_that_are_stored_only(files: list[Any], expected: tuple[str, tuple[str, ...]]) -> None:
    here = LocalProject(HERE.paths, None, "aaaaaaaaaaaa", {**DOCUMENT, "files": files})
    account = AccountSnapshot({NAME: TASK}, {f"{NAME}__params": UP_TO_DATE})
    found = compare_project(here, STACK, None, account, NOW, read_params=lambda _: DOCUMENT)
    assert (found.params, found.stored_only, found.is_out_of_date) == (*expected, expected[0] == "out of date")


def test_params_that_may_not_be_seen() -> None:
    assert compare_project(HERE, STACK, None, AccountSnapshot({}, notes=("error: no",)), NOW).params == "unknown"


def test_a_fingerprint_is_of_one_stack_and_tells_nothing_else() -> None:
    result = describe_fingerprint(DOCUMENT, NAME)
    assert read_fingerprint(result) == params_fingerprint(DOCUMENT, NAME) != params_fingerprint(DOCUMENT, "another")
    assert (read_fingerprint("mine"), read_fingerprint(""), "hunter2" in result) == (None, None, False)


def test_the_schedule_that_fires_first() -> None:
    given = (
        one("nightly", "cron(0 2 * * ? *)", "Europe/Berlin"),
        one("noon", "cron(30 12 * * ? *)"),
        one("off", "cron(5 12 * * ? *)", state="DISABLED"),
        one("often", "rate(5 minutes)"),
    )
    found = compared(TASK, schedules(*given))
    assert found.next_schedule == ScheduleStatus(
        ScheduleSummary("noon", "cron(30 12 * * ? *)", "UTC", "ENABLED"),
        datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc),
    )
    assert [(one.entry.name, one.next_time is None) for one in found.schedules] == [
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
def test_the_last_run(found: StoredLease | None, expected: dict[str, Any] | None) -> None:
    assert compared(TASK, lock=found).last_run == expected


SETTINGS = {
    **TASK.outputs,
    "TaskDefinition": "arn",
    "Machine": "arn",
    "AlertMachine": "arn",
    "Cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/handoff-dev",
    "Subnets": "subnet-1",
    "SecurityGroups": "sg-1",
    "PublicIp": "ENABLED",
    "Spot": "false",
    "Exec": "false",
    "Cpu": "256",
    "Memory": "512",
    "StopTimeout": "30",
}
SHARED = {"Subnets": "subnet-1", "SecurityGroups": "sg-1"}
TAGS = {"handoff:project": "shop", "handoff:environment": "dev"}
NIGHTLY = {"name": "nightly", "cron": "0 2 * * *"}
DEPLOYED_NIGHTLY = one("nightly", "cron(0 2 * * ? *)")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, (), id="as deployed"),
        pytest.param({"deploy": {"memory": 1024, "spot": True}}, ("deploy.spot", "deploy.memory"), id="size"),
        pytest.param({"deploy": {"cluster": "batch"}}, ("deploy.cluster",), id="cluster"),
        pytest.param(
            {"deploy": {"subnets": ["subnet-0a1b2c3d"], "vpc": "vpc-0a1b2c3d"}}, ("deploy.subnets",), id="network"
        ),
        pytest.param({"deploy": {"tags": {"team": "data"}}}, ("deploy.tags",), id="tags"),
        pytest.param({"schedules": [NIGHTLY]}, (), id="schedule as deployed"),
        pytest.param({"schedules": [{**NIGHTLY, "cron": "0 3 * * *"}]}, ("schedule nightly",), id="another time"),
        pytest.param(
            {"schedules": [NIGHTLY, {"name": "often", "rate": "1 hour"}]}, ("schedule often",), id="a new one"
        ),
    ],
)
def test_what_is_not_deployed_yet(more: dict[str, Any], expected: tuple[str, ...]) -> None:
    project = Project.model_validate({"commands": [{"command": "a"}], **more})
    task = replace(TASK, outputs=SETTINGS, parameters=SHARED, tags=TAGS)
    found = compared(task, replace(schedules(DEPLOYED_NIGHTLY), tags=TAGS), here=replace(HERE, project=project))
    assert (found.undeployed, found.is_out_of_date) == (expected, bool(expected))
    page = status_output.status_page(found, ProjectDetail("none", ()), NOW.date())
    assert (f"undeployed {', '.join(expected)}\n" in page) is bool(expected)


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        pytest.param({"TaskDefinition": "arn"}, "the state machine", id="0.1"),
        pytest.param({"TaskDefinition": "arn", "Machine": "arn"}, "the alerts", id="before alerts"),
    ],
)
def test_a_deployment_of_an_earlier_version_is_out_of_date(outputs: dict[str, str], what: str) -> None:
    project = Project.model_validate({"commands": [{"command": "a"}]})
    task = replace(TASK, outputs={**TASK.outputs, **outputs})
    found = compared(task, here=replace(HERE, project=project))
    assert found.undeployed == (f"{what}, since an earlier version deployed it",)


@pytest.mark.parametrize(
    ("subscribers", "lines"),
    [
        pytest.param(None, [], id="unknown to an earlier version"),
        pytest.param(Subscribers((), (), ("hooks.slack.com",)), ["webhook hooks.slack.com"], id="a webhook"),
        pytest.param(
            Subscribers(("arn:topic",), (), ()),
            ["topic topic, which has no subscribers", "nobody is notified of failures"],
            id="nobody",
        ),
    ],
)
def test_who_is_notified(subscribers: Subscribers | None, lines: list[str]) -> None:
    detail = ProjectDetail("none", (), subscribers=subscribers)
    page = status_output.status_page(compared(TASK), detail, NOW.date())
    assert [line[11:] for line in page.splitlines() if line.startswith("alerts ")] == lines
    told = json.loads(status_output.status_json([compared(TASK)], detail))["alerts"]
    assert told == (json.loads(json.dumps(asdict(subscribers))) if subscribers else None)


def test_a_lock_that_may_not_be_seen() -> None:
    assert compared(TASK, lock="error: no").is_last_run_unknown


ALL = compared(
    TASK,
    schedules(one("nightly", "cron(0 2 * * ? *)", "Europe/Berlin"), one("off", "rate(1 day)", state="DISABLED")),
    stored=UP_TO_DATE,
    lock=lock(RAN | {"outcome": "failed", "exit": 3, "reason": "stage cat ended with exit 3"}),
)


def test_a_table() -> None:
    often = compared(
        StackDescription(NAME, "UPDATE_ROLLBACK_COMPLETE"), schedules(one("often", "rate(5 minutes)")), lock="no"
    )
    assert status_output.status_table([ALL, BEFORE, often]) == (
        "PROJECT  STACK                     IMAGE       PARAMS      NEXT RUN           LAST RUN              OUTCOME\n"
        "shop     deployed                  up to date  up to date  2026-03-02T01:00Z  2026-03-01T02:00:00Z  failed (3)\n"
        "shop     none                      none        none        -                  -                     -\n"
        "shop     UPDATE_ROLLBACK_COMPLETE  none        none        rate(5 minutes)    -                     ?\n"
    )


def test_a_page() -> None:
    page = status_output.status_page(ALL, ProjectDetail("up to date: 2", ("TASK RUNNING",)), date(2026, 3, 2))
    assert page == (
        "project    shop (dev)\n"
        "stack      handoff-dev-shop: UPDATE_COMPLETE\n"
        "image      up to date: aaaaaaaaaaaa\n"
        "           its base is of 2026-01-31 (30 days old)\n"
        "params     up to date: version 3\n"
        "files      up to date: 2\n"
        "schedule   nightly: cron(0 2 * * ? *) Europe/Berlin, next 2026-03-02 02:00 there, 2026-03-02 01:00 UTC\n"
        "schedule   off: rate(1 day) UTC, disabled\n"
        "last run   R of 2026-03-01T02:00:00Z (schedule): failed (3) after 12.0 s: stage cat ended with exit 3\n"
        "task       TASK RUNNING\n"
    )


def test_json() -> None:
    assert json.loads(status_output.status_json([ALL])) == {
        "project": "shop",
        "environment": "dev",
        "stack": {"name": NAME, "status": "UPDATE_COMPLETE"},
        "image": {"state": "up to date", "deployed": "aaaaaaaaaaaa", "here": "aaaaaaaaaaaa", "base": "2026-01-31"},
        "undeployed": [],
        "params": {"state": "up to date", "version": 3, "stored_only": []},
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
        pytest.param([compared(TASK, stored=UP_TO_DATE)], "invoke run --project shop", id="all is well"),
        pytest.param(
            [compared(TASK, stored=ParamsVersion(1, "0" * 32))], "invoke deploy --project shop", id="out of date"
        ),
        pytest.param(
            [compared(TASK, here=LocalProject(HERE.paths, problems=("x",)))], "invoke check --project shop", id="broken"
        ),
    ],
)
def test_what_next(rows: list[ProjectStatus], expected: str) -> None:
    assert status_output.next_command(rows) == expected
