"""Schedules by options and by the project file, what of them is refused, the steps that follow, and their output."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.apply import ApplyOptions
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.target import Target
from handoff_kit.deploy.schedule_output import (
    list_schedules,
    next_times_table,
    schedule_notes,
    schedules_json,
    schedules_table,
    shared_state_warning,
)
from handoff_kit.deploy.schedule_project import (
    DesiredSchedules,
    ScheduleOptions,
    add_schedule,
    check_schedules,
    check_secrets,
    delete_schedules,
    from_options,
    from_project,
    plan_schedules,
    remove_schedule,
)
from handoff_kit.deploy.schedule_template import summary
from handoff_kit.errors import AWSError, ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.steps import DeployStack, WriteFile
from handoff_runtime.placeholders import parse_data

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[3]
PATHS = ProjectPaths("rates", ROOT)
CLIENTS = cast("Any", SimpleNamespace(region="eu-central-1"))
STACK = Target("rates", "prod", "handoff-prod-rates", "our-bucket", "--project rates --environment prod", CLIENTS)
NOW = datetime(2027, 3, 27, 12, tzinfo=timezone.utc)
NIGHTLY = Schedule(name="nightly", cron="30 2 * * *", timezone="Europe/Berlin")
OFTEN = Schedule(name="often", rate="15 minutes")
OVER = Schedule(name="over", at="2027-03-27T12:00:00")


def project(**more: Any) -> Project:
    return Project.model_validate({"commands": [{"command": "a"}], **more})


# by flags


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(ScheduleOptions(), None, id="none"),
        pytest.param(ScheduleOptions(cron="@daily"), Schedule(name="default", cron="@daily"), id="a time alone"),
        pytest.param(ScheduleOptions(rate="1 hour", name="often"), Schedule(name="often", rate="1 hour"), id="a rate"),
        pytest.param(
            ScheduleOptions(
                name="x",
                at="2027-04-01T06:00:00",
                timezone="Asia/Tokyo",
                data=parse_data('{"a": "1", "b": [1e400, {"c": null}], "d": 2.50}'),
            ),
            Schedule(
                name="x",
                at="2027-04-01T06:00:00",
                timezone="Asia/Tokyo",
                data={"a": "1", "b": '[1e400,{"c":null}]', "d": "2.50"},
            ),
            id="everything",
        ),
    ],
)
def test_options(options: ScheduleOptions, expected: Schedule | None) -> None:
    assert from_options(options) == expected


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        pytest.param(
            ScheduleOptions(cron="60 * * * *"),
            "--cron: found minute `60` in `60 * * * *`, expected 0 to 59",
            "did you mean `0`?",
            id="cron",
        ),
        pytest.param(
            ScheduleOptions(rate="15m"),
            "--rate: found `15m`, expected a number of minutes, hours or days, like `15 minutes`",
            "did you mean `15 minutes`?",
            id="rate",
        ),
        pytest.param(
            ScheduleOptions(at="2027-03-28T02:30:00", timezone="Europe/Berlin"),
            "--at: found `2027-03-28T02:30:00`, which the clocks of Europe/Berlin skip, expected a time that comes",
            "did you mean `2027-03-28T03:30:00`?",
            id="at",
        ),
        pytest.param(
            ScheduleOptions(cron="@daily", timezone="Berlin"),
            "--timezone: found `Berlin`, expected an IANA time zone, like Europe/Berlin",
            "did you mean `Europe/Berlin`?",
            id="timezone",
        ),
        pytest.param(
            ScheduleOptions(cron="@daily", rate="1 hour"),
            "--rate: found together with --cron, expected one of --cron, --rate and --at",
            "create two schedules, each with its own --name",
            id="two times",
        ),
        pytest.param(
            ScheduleOptions(cron="@daily", name="every night"),
            "--name: found 'every night', expected letters, digits, -, _ and ., at most 64 characters",
            "for example: --name nightly",
            id="name",
        ),
        pytest.param(
            ScheduleOptions(cron="@daily", data={"a-b": "1"}),
            "--data: found the name 'a-b', expected letters, digits and _",
            "for example: base_2",
            id="data",
        ),
        pytest.param(
            ScheduleOptions(timezone="Europe/Berlin"),
            "--timezone: found without a time, expected --cron, --rate or --at with it",
            "for example: --cron '0 2 * * *' --timezone Europe/Berlin",
            id="a zone alone",
        ),
        pytest.param(
            ScheduleOptions(data={"base": "E R"}),
            "--data: found without a time, expected --cron, --rate or --at with it",
            """for example: --cron '0 2 * * *' --data '{"base": "E R"}'""",
            id="data alone",
        ),
        pytest.param(
            ScheduleOptions(name="x"),
            "--name: found without a time, expected --cron, --rate or --at with it",
            "for example: --cron '0 2 * * *' --name x",
            id="a name alone",
        ),
    ],
)
def test_refused_flags(options: ScheduleOptions, message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as refused:
        from_options(options)
    assert (refused.value.message, refused.value.hint, refused.value.exit_code) == (message, hint, 2)


def test_a_file_without_schedules() -> None:
    assert from_project(project(schedules=[{"rate": "1 hour"}]), PATHS, STACK) == (Schedule(rate="1 hour"),)
    with pytest.raises(ProjectError) as refused:
        from_project(project(), PATHS, STACK)
    assert str(refused.value) == (
        "error: projects/rates/project.yml: found no schedules, expected at least one\n"
        'hint: add schedules: [{name: nightly, cron: "0 2 * * *", timezone: Europe/Berlin}]; '
        "or, without the file: invoke schedule --project rates --environment prod --cron '0 2 * * *'"
    )


def test_one_beside_others() -> None:
    later = Schedule(name="nightly", cron="0 5 * * *")
    assert add_schedule((NIGHTLY, OFTEN), later) == (OFTEN, later)
    assert add_schedule((), later) == (later,)
    assert remove_schedule((NIGHTLY, OFTEN), "often", STACK) == (NIGHTLY,)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("nightlie", "did you mean: --name nightly", id="misspelt"),
        pytest.param("x", "invoke schedule.list --project rates --environment prod", id="none like it"),
    ],
)
def test_one_that_is_not_there(name: str, hint: str) -> None:
    with pytest.raises(ProjectError) as refused:
        remove_schedule((NIGHTLY, OFTEN), name, STACK)
    message = f"--name: found {name!r}, expected a deployed schedule: nightly, often"
    assert (refused.value.message, refused.value.hint) == (message, hint)


# what would not be


@pytest.mark.parametrize(
    ("one", "message", "hint"),
    [
        pytest.param(
            OVER,
            "schedule over: at: found `2027-03-27T12:00:00`, which never comes again, expected a time in the future",
            "in UTC it is 2027-03-27T12:00:00 now",
            id="just over",
        ),
        pytest.param(
            Schedule(at="2027-03-27 20:59:59", timezone="Asia/Tokyo"),
            "schedule default: at: found `2027-03-27 20:59:59`, which never comes again, expected a time in the future",
            "in Asia/Tokyo it is 2027-03-27T21:00:00 now",
            id="over in its zone",
        ),
        pytest.param(
            Schedule(cron="0 2 * * ? 2026"),
            "schedule default: cron: found `0 2 * * ? 2026`, which never comes again, expected a time in the future",
            "in UTC it is 2027-03-27T12:00:00 now",
            id="a year that is over",
        ),
        pytest.param(
            Schedule(rate="1 hour", data={"a": 8192 * "x"}),
            "schedule default: data: found 8,553 characters with all overrides of a run, expected at most 8,192",
            "put what is long into a file: projects/NAME/files/, then: invoke files.push",
            id="too much data",
        ),
    ],
)
def test_what_would_not_be(one: Schedule, message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as refused:
        check_schedules((NIGHTLY, one), (NIGHTLY,), NOW)
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_what_may_be() -> None:
    check_schedules((NIGHTLY, OFTEN, Schedule(at="2027-03-27T21:00:01", timezone="Asia/Tokyo")), (), NOW)
    check_schedules((OVER,), (OVER,), NOW)


def test_a_secret_is_refused(tmp_path: Path) -> None:
    paths = ProjectPaths("rates", tmp_path)
    (paths.directory / ".local").mkdir(parents=True)
    (paths.directory / ".local/tap.json").write_text(json.dumps({"token": "hunter2-secret"}))
    check_secrets(paths, {"base": "EUR"})
    with pytest.raises(ProjectError) as refused:
        check_secrets(paths, {"base": "hunter2-secret"})
    assert "looks like a secret" in refused.value.message
    assert "hunter2" not in str(refused.value)


# the steps


def desired(*schedules: Schedule, **more: Any) -> DesiredSchedules:
    return DesiredSchedules(PATHS, project(**more).deploy, schedules, "invoke schedule --project rates")


def test_the_steps_that_deploy_them() -> None:
    written, changed = plan_schedules(desired(NIGHTLY, deploy={"tags": {"team": "data"}}), STACK)
    assert isinstance(written, WriteFile)
    assert isinstance(changed, DeployStack)
    assert written.path == changed.file == ROOT / "build/rates/schedule.yml"
    assert written.text == changed.template
    assert replace(changed, template="") == DeployStack(
        "handoff-prod-rates-schedule",
        written.path,
        "",
        {},
        {"team": "data", "handoff:project": "rates", "handoff:environment": "prod"},
        "invoke schedule --project rates",
        "our-bucket",
    )


def test_names_that_are_too_long_for_a_schedule() -> None:
    stack = replace(STACK, name=f"handoff-{'e' * 20}-{'p' * 40}")
    with pytest.raises(ProjectError, match="group of schedules"):
        plan_schedules(desired(OFTEN), stack)


# output


def test_the_next_times() -> None:
    off = Schedule(name="off", cron="@daily", enabled=False)
    late = Schedule(name="once", at="2027-12-24T18:00:00", timezone="America/Sao_Paulo")
    assert next_times_table((NIGHTLY, OFTEN, off, late), NOW) == (
        "SCHEDULE  NEXT                     ZONE              UTC\n"
        "nightly   Mon 2027-03-29 02:30:00  CEST (UTC+02:00)  2027-03-29T00:30:00Z\n"
        "nightly   Tue 2027-03-30 02:30:00  CEST (UTC+02:00)  2027-03-30T00:30:00Z\n"
        "nightly   Wed 2027-03-31 02:30:00  CEST (UTC+02:00)  2027-03-31T00:30:00Z\n"
        "nightly   Thu 2027-04-01 02:30:00  CEST (UTC+02:00)  2027-04-01T00:30:00Z\n"
        "nightly   Fri 2027-04-02 02:30:00  CEST (UTC+02:00)  2027-04-02T00:30:00Z\n"
        "once      Fri 2027-12-24 18:00:00  UTC-03:00         2027-12-24T21:00:00Z\n"
    )
    assert next_times_table((OFTEN, off), NOW) == ""


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
            ["schedule often: every 15 minutes, counted from its creation; the first run starts at once"],
            id="rate",
        ),
        pytest.param(
            Schedule(name="x", rate="1 day"),
            NOW,
            ["schedule x: every day, counted from its creation; the first run starts at once"],
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
    assert list(schedule_notes((one,), now)) == expected


def deployed(project: str, environment: str, *schedules: Schedule, status: str = "CREATE_COMPLETE") -> StackDescription:
    tags = {"handoff:project": project, "handoff:environment": environment}
    outputs = {"Schedules": json.dumps([asdict(summary(one)) for one in schedules]), "Machine": "arn"}
    return StackDescription(f"handoff-{environment}-{project}-schedule", status, outputs=outputs, tags=tags)


STACKS = (
    deployed("rates", "prod", OVER, NIGHTLY),
    deployed("rates", "dev", Schedule(name="nightly", cron="@daily", enabled=False)),
    deployed("orders", "prod", OFTEN, status="UPDATE_ROLLBACK_FAILED"),
    StackDescription("handoff-prod-rates", "CREATE_COMPLETE", outputs={"TaskDefinition": "arn"}),
    StackDescription("of-somebody-else", "CREATE_COMPLETE"),
)


def test_all_that_are_deployed() -> None:
    found = list_schedules(STACKS, NOW)
    assert schedules_table(found, NOW) == (
        "PROJECT  ENVIRONMENT  NAME     WHEN                 TIMEZONE       NEXT                                 STATE\n"
        "orders   prod         often    every 15 minutes     UTC            -                                    UPDATE_ROLLBACK_FAILED\n"
        "rates    dev          nightly  0 0 * * ? *          UTC            -                                    disabled\n"
        "rates    prod         nightly  30 2 * * ? *         Europe/Berlin  Mon 2027-03-29 02:30 CEST (in 36 h)  enabled\n"
        "rates    prod         over     2027-03-27T12:00:00  UTC            -                                    over\n"
    )
    assert [json.loads(line) for line in schedules_json(found).splitlines()][::2] == [
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
def test_some_that_are_deployed(chosen: dict[str, str], expected: list[str]) -> None:
    assert [f"{one.environment} {one.summary.name}" for one in list_schedules(STACKS, NOW, **chosen)] == expected


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        pytest.param(datetime(2027, 3, 29, 0, 29, 10, tzinfo=timezone.utc), "in 0 m", id="now"),
        pytest.param(datetime(2027, 3, 28, 22, 31, tzinfo=timezone.utc), "in 119 m", id="minutes"),
        pytest.param(datetime(2027, 3, 28, 22, 30, tzinfo=timezone.utc), "in 2 h", id="hours"),
    ],
)
def test_how_long_it_is_till_then(begin: datetime, expected: str) -> None:
    assert expected in schedules_table(list_schedules(STACKS[:1], begin), begin)


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
    assert shared_state_warning(schedules, mode) == expected


class Deployed:
    """An AWS with one stack, whose deletion it notes."""

    region = "eu-central-1"

    def __init__(self, tags: Mapping[str, str]) -> None:
        self.tags, self.deleted = [{"Key": key, "Value": text} for key, text in tags.items()], list[str]()

    def call(self, _service: str, operation: str, **request: Any) -> dict[str, Any]:
        if operation == "delete_stack":
            self.deleted.append(request["StackName"])
            raise AWSError("deleted", "")
        stack = {"StackName": request["StackName"], "StackStatus": "CREATE_COMPLETE", "Tags": self.tags}
        return {"Stacks": [stack], "StackEvents": [{"EventId": "e"}], "TemplateBody": ""}

    def pages(self, *_: str, **_request: object) -> list[dict[str, Any]]:
        return [{"StackEvents": []}]


def test_the_stack_of_another_project_is_not_deleted() -> None:
    """Its task stack has the name of our schedule stack."""
    account = Deployed({"handoff:project": "rates-schedule", "handoff:environment": "prod"})
    target = replace(STACK, session=cast("Any", account))
    with pytest.raises(AWSError, match="found tags"):
        delete_schedules(PATHS, target, "", ApplyOptions(print, yes=True))
    assert account.deleted == []
