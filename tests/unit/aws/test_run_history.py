"""Lines of the history joined with executions and missed schedules: whole rows, and how many calls that takes."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import ListedExecution
from handoff_kit.aws.ecs.run_history import join_executions, read_run_history, reason_lines
from handoff_kit.aws.history import HistoryQuery, HistorySource, runs_table
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.project.execution_input import execution_input
from handoff_runtime.masking import Mask

if TYPE_CHECKING:
    from collections.abc import Collection

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:handoff-dev-shop-run"
EXECUTION = MACHINE.replace("stateMachine", "execution")
DAY = datetime(2026, 11, 30, tzinfo=timezone.utc).timestamp()
MASK = Mask(("hunter2",), (b"hunter2",))


def at(hour: float) -> str:
    return f"2026-11-30T{int(hour):02}:{int(hour % 1 * 60):02}:00.000Z"


def execution(name: str, status: str, hour: float, ended: float | None = None) -> ListedExecution:
    return ListedExecution(f"{EXECUTION}:{name}", status, DAY + hour * 3600, ended and DAY + ended * 3600)


def line(run: str, hour: float, **more: Any) -> dict[str, Any]:
    known = {"run_id": run, "started_at": at(hour), "environment": "dev", "trigger": "schedule", "exit": 0}
    return {**known, "outcome": "succeeded", "execution": f"E-{run}", **more}


def unrecorded(name: str, hour: float, outcome: str, ended: float | None, **more: Any) -> dict[str, Any]:
    return {
        "run_id": name,
        "environment": "dev",
        "command": None,
        "trigger": None,
        "started_at": at(hour),
        "ended_at": at(ended) if ended else None,
        "seconds": round((ended - hour) * 3600, 3) if ended else None,
        "outcome": outcome,
        "exit": None,
        "culprit": None,
        "reason": None,
        "attempt": None,
        "params_version": None,
        "image_digest": None,
        "rows": None,
        "state_replaced": False,
        "execution": name,
        "schedule": None,
        "data": None,
        **more,
    }


def old(run: str, hour: float, **more: Any) -> dict[str, Any]:
    """A line of a runtime that did not name its execution."""
    return {key: value for key, value in line(run, hour, **more).items() if key != "execution"}


@pytest.mark.parametrize(
    ("lines", "executions", "expected"),
    [
        pytest.param(
            [line("a", 2)],
            [execution("E-a", "SUCCEEDED", 1.9, 2.1)],
            [(line("a", 2), None)],
            id="a run with its line",
        ),
        pytest.param(
            [line("a", 2)],
            [execution("E-b", "FAILED", 3, 3.25), execution("E-a", "SUCCEEDED", 1.9, 2.1)],
            [(unrecorded("E-b", 3, "failed", 3.25), "E-b"), (line("a", 2), None)],
            id="one without",
        ),
        pytest.param(
            [],
            [
                execution("E-d", "RUNNING", 5),
                execution("E-c", "ABORTED", 4, 4.25),
                execution("E-b", "TIMED_OUT", 3, 3.25),
                execution("E-a", "SUCCEEDED", 2, 2.25),
            ],
            [
                (unrecorded("E-d", 5, "running", None), "E-d"),
                (unrecorded("E-c", 4, "stopped", 4.25), "E-c"),
                (unrecorded("E-b", 3, "timed out", 3.25), "E-b"),
            ],
            id="by status",
        ),
        pytest.param(
            [line("a", 2, outcome="killed", exit=None)],
            [execution("E-a", "FAILED", 1.9, 2.1)],
            [(line("a", 2, outcome="killed", exit=None), "E-a")],
            id="a killed run is explained",
        ),
        pytest.param(
            [line("a", 2, outcome="failed", exit=3, reason="stage tap ended with exit 3")],
            [execution("E-a", "FAILED", 1.9, 2.1)],
            [(line("a", 2, outcome="failed", exit=3, reason="stage tap ended with exit 3"), None)],
            id="what a run says itself counts",
        ),
        pytest.param(
            [old("a", 2, outcome="failed")],
            [execution("E-a", "FAILED", 1.9, 2.1)],
            [(old("a", 2, outcome="failed"), None)],
            id="a run before, by its time",
        ),
        pytest.param(
            [line("a", 2, outcome="killed", exit=None, execution=None)],
            [execution("E-a", "FAILED", 1.9, 2.1)],
            [(line("a", 2, outcome="killed", exit=None, execution=None), None)],
            id="a run before, whose line a later runtime wrote",
        ),
        pytest.param(
            [old("b", 2.05, outcome="failed"), old("a", 2, outcome="failed")],
            [execution("E-a", "FAILED", 1.5, 2.25)],
            [
                (old("b", 2.05, outcome="failed"), None),
                (old("a", 2, outcome="failed"), None),
                (unrecorded("E-a", 1.5, "failed", 2.25), "E-a"),
            ],
            id="two runs before within its time",
        ),
        pytest.param(
            [old("a", 2, outcome="failed", trigger="local")],
            [execution("E-a", "FAILED", 1.5, 2.25)],
            [(old("a", 2, outcome="failed", trigger="local"), None), (unrecorded("E-a", 1.5, "failed", 2.25), "E-a")],
            id="a run of a workstation has none",
        ),
    ],
)
def test_the_join(
    lines: list[dict[str, Any]], executions: list[ListedExecution], expected: list[tuple[dict[str, Any], str | None]]
) -> None:
    found = join_executions(lines, executions, "dev")
    assert [(run.line, run.execution and run.execution.name) for run in found] == expected


class Cloud:
    """An AWS with five failed executions and a dead letter; calls in `denied` are refused."""

    def __init__(self, denied: Collection[str] = (), letters: int = 1) -> None:
        self.calls: Counter[str] = Counter()
        self.denied = denied
        self.letters = letters

    def call(self, _service: str, operation: str, *, allow: Collection[str] = (), **request: Any) -> Any:
        del allow
        self.calls[operation] += 1
        if operation in self.denied:
            raise AWSError(f"AccessDenied found, the permission for {operation} expected", "allow it")
        if operation == "list_executions":
            found = [execution(f"E-{hour}", "FAILED", hour, hour + 0.25) for hour in (8, 7, 6, 5, 4)]
            return {"executions": [self.listed(each) for each in found[: request["maxResults"]]]}
        if operation == "get_execution_history":
            return {"events": self.events(request["executionArn"])}
        if operation == "get_queue_url":
            return {"QueueUrl": f"https://sqs/123456789012/{request['QueueName']}"}
        return {"Messages": [LETTER] * self.letters}

    @staticmethod
    def listed(each: ListedExecution) -> dict[str, Any]:
        moments = {"startDate": each.started, "stopDate": each.ended}
        times = {key: datetime.fromtimestamp(value or 0, timezone.utc) for key, value in moments.items()}
        return {"executionArn": each.arn, "status": each.status, **times}

    @staticmethod
    def events(_arn: str) -> list[dict[str, Any]]:
        given = execution_input({"DATA": '{"base": "hunter2"}', "HANDOFF_SCHEDULE": "nightly"})
        cause = "Cluster not found. (Service: AmazonECS; Status Code: 400)"
        details = (
            ("ExecutionStarted", {"input": json.dumps(given)}),
            ("TaskFailed", {"resourceType": "ecs", "error": "ECS.ClusterNotFoundException", "cause": cause}),
            ("ExecutionFailed", {"error": "ECS.ClusterNotFoundException", "cause": cause}),
        )
        moment = datetime(2026, 11, 30, 4, tzinfo=timezone.utc)
        return [
            {"type": kind, "timestamp": moment, f"{kind[0].lower()}{kind[1:]}EventDetails": each}
            for kind, each in details
        ]


LETTER = {
    "MessageId": "1",
    "ReceiptHandle": "r",
    "Body": '{"environment": [{"Name": "DATA", "Value": "{\\"base\\": \\"EUR\\"}"}], "size": {}}',
    "Attributes": {"SentTimestamp": "1796000000000"},
    "MessageAttributes": {
        name: {"StringValue": text, "DataType": "String"}
        for name, text in {
            "SCHEDULE_ARN": "arn:aws:scheduler:eu-central-1:123456789012:schedule/handoff-dev-shop/nightly",
            "SCHEDULED_TIME": "2026-11-30T03:00:00Z",
            "ERROR_CODE": "AccessDeniedException",
            "ERROR_MESSAGE": "not allowed\nto start",
        }.items()
    },
}


def read(cloud: Cloud, query: HistoryQuery) -> Any:
    target = Target("shop", "dev", "handoff-dev-shop", "bucket", "--project shop", cast("Any", cloud))
    content = json.dumps({**line("a", 9, outcome="failed", exit=3), "data": {"base": "USD"}}).encode()
    source = HistorySource(("2026-11-30",), lambda days: [content for _ in days])
    return read_run_history(ProjectTasks(target, "handoff-dev", machine=MACHINE), source, query, MASK)


def test_the_rows() -> None:
    found = read(Cloud(), HistoryQuery())
    shown = "see why: invoke history.show --run E-{} --remote --project shop"
    started = {"command": "run", "trigger": "schedule", "schedule": "nightly", "data": {"base": "***"}}
    reason = "ClusterNotFoundException: Cluster not found."
    missed = unrecorded("", 3, "missed", None, run_id=None, command="run", trigger="schedule", execution=None)
    missed |= {"culprit": "AccessDeniedException", "reason": "AccessDeniedException: not allowed to start"}
    assert found.lines == (
        {**line("a", 9, outcome="failed", exit=3), "data": {"base": "USD"}},
        *(unrecorded(f"E-{n}", n, "not started", n + 0.25, **started, reason=reason) for n in (8, 7, 6)),
        *(unrecorded(f"E-{n}", n, "failed", n + 0.25, reason=shown.format(f"{n}")) for n in (5, 4)),
        {**missed, "schedule": "nightly", "data": {"base": "EUR"}},
    )
    assert (found.notes, found.missed) == ((), 1)
    assert runs_table(found.lines[:2] + found.lines[-1:]) == (
        "START                 TRIGGER           OUTCOME      CULPRIT                DURATION  ROWS  DATA             RUN\n"
        '2026-11-30T09:00:00Z  schedule          failed (3)   -                             -     -  {"base": "USD"}  a\n'
        '2026-11-30T08:00:00Z  schedule nightly  not started  -                     15 m 00 s     -  {"base": "***"}  E-8\n'
        '2026-11-30T03:00:00Z  schedule nightly  missed       AccessDeniedExcep...          -     -  {"base": "EUR"}  -\n'
    )
    assert list(reason_lines(found.lines)) == [
        *(f"E-{n} not started: {reason}" for n in (8, 7, 6)),
        *(f"E-{n} failed: {shown.format(n)}" for n in (5, 4)),
        "schedule nightly of 2026-11-30T03:00:00Z was missed: AccessDeniedException: not allowed to start",
    ]


@pytest.mark.parametrize(
    ("query", "runs", "calls"),
    [
        pytest.param(HistoryQuery(last=2), ["a", "E-8"], 4, id="last"),
        pytest.param(HistoryQuery(failed=True), ["a", "E-8", "E-7", "E-6", "E-5", "E-4", None], 6, id="failed"),
        pytest.param(HistoryQuery(since=at(7), last=None), ["a", "E-8", "E-7"], 5, id="since"),
    ],
)
def test_at_most_six_calls_more(query: HistoryQuery, runs: list[str | None], calls: int) -> None:
    cloud = Cloud()
    assert [each["run_id"] for each in read(cloud, query).lines] == runs
    assert cloud.calls.total() == calls


@pytest.mark.parametrize(
    ("denied", "note", "rows"),
    [
        pytest.param("list_executions", "runs without a record are not shown", ["a", None], id="executions"),
        pytest.param(
            "receive_message",
            "missed schedules are not shown",
            ["a", "E-8", "E-7", "E-6", "E-5", "E-4"],
            id="the queue",
        ),
        pytest.param(
            "get_execution_history",
            "their reasons are not shown",
            ["a", "E-8", "E-7", "E-6", "E-5", "E-4", None],
            id="their events",
        ),
    ],
)
def test_what_may_not_be_read_is_named(denied: str, note: str, rows: list[str | None]) -> None:
    found = read(Cloud([denied]), HistoryQuery())
    assert [each["run_id"] for each in found.lines] == rows
    refusal = f"AccessDenied found, the permission for {denied} expected"
    assert found.notes == (f"note: {refusal}; {note}\nhint: allow it",)
