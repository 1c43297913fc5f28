"""Schedules asked for: by flags, by the file, and what of them is refused; the steps that follow, and how they are told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from handoff_kit.errors import ProjectError
from handoff_kit.fargate.network import Network
from handoff_kit.names import ProjectPlace
from handoff_kit.project import Project
from handoff_kit.remote.stack import Stack
from handoff_kit.schedules import asked, kept, listing
from handoff_kit.schedules import plan as planning
from handoff_kit.schedules.asked import Words
from handoff_kit.schedules.plan import Wanted
from handoff_kit.settings.schedule import Schedule
from handoff_kit.stacks.deployed import Deployed
from handoff_kit.steps import ChangeStack, RemoveStack, WriteFile

ROOT = Path(__file__).parents[2]
PLACE = ProjectPlace("rates", ROOT)
CLIENTS = cast("Any", SimpleNamespace(region="eu-central-1"))
STACK = Stack("rates", "prod", "handoff-prod-rates", "our-bucket", "--project rates --environment prod", CLIENTS)
NOW = datetime(2027, 3, 27, 12, tzinfo=timezone.utc)
NIGHTLY = Schedule(name="nightly", cron="30 2 * * *", timezone="Europe/Berlin")
OFTEN = Schedule(name="often", rate="15 minutes")
OVER = Schedule(name="over", at="2027-03-27T12:00:00")


def project(**more: Any) -> Project:
    return Project.model_validate({"commands": [{"command": "a"}], **more})


# by flags


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(Words(), None, id="none"),
        pytest.param(Words(cron="@daily"), Schedule(name="default", cron="@daily"), id="a time alone"),
        pytest.param(Words(rate="1 hour", name="often"), Schedule(name="often", rate="1 hour"), id="a rate"),
        pytest.param(
            Words(
                name="x",
                at="2027-04-01T06:00:00",
                timezone="Asia/Tokyo",
                data={"a": "1", "b": [1, {"c": None}], "d": 2.5},
            ),
            Schedule(
                name="x",
                at="2027-04-01T06:00:00",
                timezone="Asia/Tokyo",
                data={"a": "1", "b": '[1,{"c":null}]', "d": "2.5"},
            ),
            id="everything",
        ),
    ],
)
def test_given(words: Words, expected: Schedule | None) -> None:
    assert asked.given(words) == expected


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        pytest.param(
            Words(cron="60 * * * *"),
            "--cron: found minute `60` in `60 * * * *`, expected 0 to 59",
            "did you mean `0`?",
            id="cron",
        ),
        pytest.param(
            Words(rate="15m"),
            "--rate: found `15m`, expected a number of minutes, hours or days, like `15 minutes`",
            "did you mean `15 minutes`?",
            id="rate",
        ),
        pytest.param(
            Words(at="2027-03-28T02:30:00", timezone="Europe/Berlin"),
            "--at: found `2027-03-28T02:30:00`, which the clocks of Europe/Berlin skip, expected a time that comes",
            "did you mean `2027-03-28T03:30:00`?",
            id="at",
        ),
        pytest.param(
            Words(cron="@daily", timezone="Berlin"),
            "--timezone: found `Berlin`, expected a time zone by its IANA name, like Europe/Berlin",
            "did you mean `Europe/Berlin`?",
            id="timezone",
        ),
        pytest.param(
            Words(cron="@daily", rate="1 hour"),
            "--rate: found together with --cron, expected one of --cron, --rate and --at",
            "make two schedules of it, each with a --name",
            id="two times",
        ),
        pytest.param(
            Words(cron="@daily", name="every night"),
            "--name: found 'every night', expected letters, digits, -, _ and ., at most 64 characters",
            "for example: --name nightly",
            id="name",
        ),
        pytest.param(
            Words(cron="@daily", data={"a-b": "1"}),
            "--data: found the name 'a-b', expected letters, digits and _",
            "for example: base_2",
            id="data",
        ),
        pytest.param(
            Words(timezone="Europe/Berlin"),
            "--timezone: found without a time, expected --cron, --rate or --at with it",
            "for example: --cron '0 2 * * *' --timezone Europe/Berlin",
            id="a zone alone",
        ),
        pytest.param(
            Words(data={"base": "E R"}),
            "--data: found without a time, expected --cron, --rate or --at with it",
            """for example: --cron '0 2 * * *' --data '{"base": "E R"}'""",
            id="data alone",
        ),
        pytest.param(
            Words(name="x"),
            "--name: found without a time, expected --cron, --rate or --at with it",
            "for example: --cron '0 2 * * *' --name x",
            id="a name alone",
        ),
    ],
)
def test_refused_flags(words: Words, message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as refused:
        asked.given(words)
    assert (refused.value.message, refused.value.hint, refused.value.exit_code) == (message, hint, 2)


def test_a_file_without_schedules() -> None:
    assert asked.declared(project(schedules=[{"rate": "1 hour"}]), PLACE, "") == (Schedule(rate="1 hour"),)
    with pytest.raises(ProjectError) as refused:
        asked.declared(project(), PLACE, "--project rates")
    assert str(refused.value) == (
        "error: projects/rates/project.yml: found no schedules, expected at least one\n"
        'hint: put into it: schedules: [{name: nightly, cron: "0 2 * * *", timezone: Europe/Berlin}]; '
        "or, without: invoke schedule --project rates --cron '0 2 * * *'"
    )


def test_one_beside_others() -> None:
    later = Schedule(name="nightly", cron="0 5 * * *")
    assert asked.added((NIGHTLY, OFTEN), later) == (OFTEN, later)
    assert asked.added((), later) == (later,)
    assert asked.without((NIGHTLY, OFTEN), "often", "") == (NIGHTLY,)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("nightlie", "did you mean: --name nightly", id="misspelt"),
        pytest.param("x", "invoke schedule.list --project rates", id="none like it"),
    ],
)
def test_one_that_is_not_there(name: str, hint: str) -> None:
    with pytest.raises(ProjectError) as refused:
        asked.without((NIGHTLY, OFTEN), name, "--project rates")
    told = (f"--name: found {name!r}, expected one that is in force: nightly, often", hint)
    assert (refused.value.message, refused.value.hint) == told


# what would not be


@pytest.mark.parametrize(
    ("one", "message", "hint"),
    [
        pytest.param(
            OVER,
            "schedule over: at: found `2027-03-27T12:00:00`, which never comes again, expected a time to come",
            "in UTC it is 2027-03-27T12:00:00 now",
            id="just over",
        ),
        pytest.param(
            Schedule(at="2027-03-27 20:59:59", timezone="Asia/Tokyo"),
            "schedule default: at: found `2027-03-27 20:59:59`, which never comes again, expected a time to come",
            "in Asia/Tokyo it is 2027-03-27T21:00:00 now",
            id="over in its zone",
        ),
        pytest.param(
            Schedule(cron="0 2 * * ? 2026"),
            "schedule default: cron: found `0 2 * * ? 2026`, which never comes again, expected a time to come",
            "in UTC it is 2027-03-27T12:00:00 now",
            id="a year that is over",
        ),
        pytest.param(
            Schedule(rate="1 hour", data={"a": 8192 * "x"}),
            "schedule default: data: found 8,379 characters with all that a run is given, expected at most 8,192",
            "put what is long into a file: projects/NAME/files/, then: invoke files.push",
            id="too much data",
        ),
    ],
)
def test_what_would_not_be(one: Schedule, message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as refused:
        asked.check((NIGHTLY, one), (NIGHTLY,), NOW)
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_what_may_be() -> None:
    asked.check((NIGHTLY, OFTEN, Schedule(at="2027-03-27T21:00:01", timezone="Asia/Tokyo")), (), NOW)
    asked.check((OVER,), (OVER,), NOW)


def test_a_secret_is_refused(tmp_path: Path) -> None:
    place = ProjectPlace("rates", tmp_path)
    (place.directory / ".local").mkdir(parents=True)
    (place.directory / ".local/tap.json").write_text(json.dumps({"token": "hunter2-secret"}))
    asked.check_secrets(place, project(), "dev", {"base": "EUR"})
    with pytest.raises(ProjectError) as refused:
        asked.check_secrets(place, project(), "dev", {"base": "hunter2-secret"})
    assert "looks like a secret" in refused.value.message
    assert "hunter2" not in str(refused.value)


# the steps

NETWORK = Network("arn:aws:ecs:eu-central-1:123456789012:cluster/x", ("subnet-1", "subnet-2"), ("sg-1",), True, False)  # noqa: FBT003


def wanted(*schedules: Schedule, **more: Any) -> Wanted:
    return Wanted(PLACE, project(**more), "prod", schedules, "invoke schedule --project rates")


def test_the_steps_that_put_them_in_force() -> None:
    where = planning.parameters(NETWORK)
    written, changed = planning.plan(wanted(NIGHTLY, deploy={"tags": {"team": "data"}}), where, STACK)
    assert isinstance(written, WriteFile)
    assert isinstance(changed, ChangeStack)
    assert written.path == changed.file == ROOT / "build/rates/schedule.yml"
    assert written.text == changed.template
    assert replace(changed, template="") == ChangeStack(
        "handoff-prod-rates-schedule",
        written.path,
        "",
        {
            "Cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/x",
            "Subnets": "subnet-1,subnet-2",
            "SecurityGroups": "sg-1",
        },
        {"team": "data", "handoff:project": "rates", "handoff:environment": "prod"},
        "invoke schedule --project rates",
        "our-bucket",
    )


def test_the_steps_that_take_them_away() -> None:
    again = "invoke unschedule --project rates"
    assert planning.plan_removal(STACK, again) == (RemoveStack("handoff-prod-rates-schedule", again),)


def test_names_that_are_too_long_for_a_schedule() -> None:
    stack = replace(STACK, name=f"handoff-{'e' * 20}-{'p' * 40}")
    with pytest.raises(ProjectError, match="group of schedules"):
        planning.plan(wanted(OFTEN), planning.parameters(NETWORK), stack)


def test_which_would_go() -> None:
    assert planning.left_out((NIGHTLY,), (NIGHTLY, OFTEN)) == ("often",)


# how they are told


def test_the_next_times() -> None:
    off = Schedule(name="off", cron="@daily", enabled=False)
    late = Schedule(name="once", at="2027-12-24T18:00:00", timezone="America/Sao_Paulo")
    assert listing.next_times((NIGHTLY, OFTEN, off, late), NOW) == (
        "SCHEDULE  NEXT                     ZONE              UTC\n"
        "nightly   Mon 2027-03-29 02:30:00  CEST (UTC+02:00)  2027-03-29T00:30:00Z\n"
        "nightly   Tue 2027-03-30 02:30:00  CEST (UTC+02:00)  2027-03-30T00:30:00Z\n"
        "nightly   Wed 2027-03-31 02:30:00  CEST (UTC+02:00)  2027-03-31T00:30:00Z\n"
        "nightly   Thu 2027-04-01 02:30:00  CEST (UTC+02:00)  2027-04-01T00:30:00Z\n"
        "nightly   Fri 2027-04-02 02:30:00  CEST (UTC+02:00)  2027-04-02T00:30:00Z\n"
        "once      Fri 2027-12-24 18:00:00  UTC-03:00         2027-12-24T21:00:00Z\n"
    )
    assert listing.next_times((OFTEN, off), NOW) == ""


@pytest.mark.parametrize(
    ("one", "now", "expected"),
    [
        pytest.param(
            NIGHTLY,
            NOW,
            [
                "schedule nightly: 2027-03-28 02:30 is skipped by the clocks of Europe/Berlin; a time that is skipped does not fire"
            ],
            id="skipped",
        ),
        pytest.param(
            NIGHTLY,
            datetime(2027, 10, 28, tzinfo=timezone.utc),
            [
                "schedule nightly: 2027-10-31 02:30 is shown twice by the clocks of Europe/Berlin; "
                "a time that comes twice fires the first time only"
            ],
            id="repeated",
        ),
        pytest.param(
            Schedule(name="x", cron="*/20 2 * * *", timezone="Europe/Berlin"),
            NOW,
            [
                "schedule x: 3 times from 2027-03-28 02:00 to 02:40 are skipped by the clocks of Europe/Berlin; "
                "a time that is skipped does not fire"
            ],
            id="several",
        ),
        pytest.param(NIGHTLY, datetime(2027, 6, 1, tzinfo=timezone.utc), [], id="nothing to say"),
        pytest.param(
            OFTEN,
            NOW,
            ["schedule often: every 15 minutes, counted from when it is put in force; the first run at once"],
            id="rate",
        ),
        pytest.param(
            Schedule(name="x", rate="1 day"),
            NOW,
            ["schedule x: every day, counted from when it is put in force; the first run at once"],
            id="rate of one",
        ),
        pytest.param(
            Schedule(name="x", rate="1 day", enabled=False),
            NOW,
            ["schedule x: disabled (enabled: false); it starts nothing"],
            id="disabled",
        ),
        pytest.param(OVER, NOW, ["schedule over: over; 2027-03-27T12:00:00 does not come again"], id="over"),
    ],
)
def test_notes(one: Schedule, now: datetime, expected: list[str]) -> None:
    assert list(listing.notes((one,), now)) == expected


def in_force(project: str, environment: str, *schedules: Schedule, status: str = "CREATE_COMPLETE") -> Deployed:
    tags = {"handoff:project": project, "handoff:environment": environment}
    outputs = {"Schedules": json.dumps([kept.entry(one) for one in schedules]), "Machine": "arn"}
    return Deployed(f"handoff-{environment}-{project}-schedule", status, outputs=outputs, tags=tags)


STACKS = (
    in_force("rates", "prod", OVER, NIGHTLY),
    in_force("rates", "dev", Schedule(name="nightly", cron="@daily", enabled=False)),
    in_force("orders", "prod", OFTEN, status="UPDATE_ROLLBACK_FAILED"),
    Deployed("handoff-prod-rates", "CREATE_COMPLETE", outputs={"TaskDefinition": "arn"}),
    Deployed("of-somebody-else", "CREATE_COMPLETE"),
)


def test_all_in_force() -> None:
    found = listing.lines(STACKS, NOW)
    assert listing.table_of(found, NOW) == (
        "PROJECT  ENVIRONMENT  NAME     WHEN                 TIMEZONE       NEXT                                 STATE\n"
        "orders   prod         often    every 15 minutes     UTC            -                                    UPDATE_ROLLBACK_FAILED\n"
        "rates    dev          nightly  0 0 * * ? *          UTC            -                                    disabled\n"
        "rates    prod         nightly  30 2 * * ? *         Europe/Berlin  Mon 2027-03-29 02:30 CEST (in 36 h)  enabled\n"
        "rates    prod         over     2027-03-27T12:00:00  UTC            -                                    over\n"
    )
    assert [json.loads(line) for line in listing.to_json(found).splitlines()][::2] == [
        {
            "project": "orders",
            "environment": "prod",
            "name": "often",
            "expression": "rate(15 minutes)",
            "timezone": "UTC",
            "next": None,
            "every_seconds": 900,
            "state": "UPDATE_ROLLBACK_FAILED",
        },
        {
            "project": "rates",
            "environment": "prod",
            "name": "nightly",
            "expression": "cron(30 2 * * ? *)",
            "timezone": "Europe/Berlin",
            "next": "2027-03-29T00:30:00Z",
            "every_seconds": None,
            "state": "enabled",
        },
    ]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param({"project": "rates"}, ["dev nightly", "prod nightly", "prod over"], id="of a project"),
        pytest.param({"environment": "prod"}, ["prod often", "prod nightly", "prod over"], id="of an environment"),
        pytest.param({"project": "orders", "environment": "dev"}, [], id="of both"),
    ],
)
def test_some_in_force(chosen: dict[str, str], expected: list[str]) -> None:
    assert [f"{one.environment} {one.entry.name}" for one in listing.lines(STACKS, NOW, **chosen)] == expected


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        pytest.param(datetime(2027, 3, 29, 0, 29, 10, tzinfo=timezone.utc), "in 0 m", id="now"),
        pytest.param(datetime(2027, 3, 28, 22, 31, tzinfo=timezone.utc), "in 119 m", id="minutes"),
        pytest.param(datetime(2027, 3, 28, 22, 30, tzinfo=timezone.utc), "in 2 h", id="hours"),
    ],
)
def test_how_long_it_is_till_then(begin: datetime, expected: str) -> None:
    assert expected in listing.table_of(listing.lines(STACKS[:1], begin), begin)


EUR, USD = (
    Schedule(name="eur", cron="0 2 * * *", data={"base": "EUR"}),
    Schedule(name="usd", rate="1 day", data={"base": "USD"}),
)
WARNING = """\
warning: schedules eur and usd have different data, and share one state, lock and artifacts: one continues where the \
other ended, and may send nothing
hint: make a project of each; where the state is of no use, write `state: none`"""


@pytest.mark.parametrize(
    ("schedules", "mode", "expected"),
    [
        pytest.param((EUR, USD), "singer", WARNING, id="two"),
        pytest.param((EUR, EUR, USD), "all", WARNING, id="three"),
        pytest.param((EUR, USD), "none", "", id="no state"),
        pytest.param((EUR, USD.model_copy(update={"enabled": False})), "singer", "", id="one disabled"),
        pytest.param((EUR, EUR.model_copy(update={"name": "again"})), "singer", "", id="the same data"),
        pytest.param((EUR,), "singer", "", id="one"),
        pytest.param((), "singer", "", id="none"),
    ],
)
def test_schedules_that_differ_in_what_they_send(schedules: tuple[Schedule, ...], mode: str, expected: str) -> None:
    assert listing.sharing(schedules, mode) == expected
