"""The state machine of a project, walked through: what is tried again, how often, after which wait, and how it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from doubles.state_machine import STACK, chosen, machine

from handoff_kit.project.deploy_settings import Deploy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOT_STARTED, FAILED = "Handoff.NotStarted", "Handoff.Failed"
WAITS = (10, 30, 60, 120, 240, 480)  # seconds
SPOT = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
ON_DEMAND = [{"CapacityProvider": "FARGATE", "Weight": 1}]


DEFINITION = machine()
FALLBACK = machine(Deploy(spot="fallback"))
STATES: dict[str, Any] = DEFINITION["States"]


@dataclass(frozen=True)
class Failure:
    """How RunTask, or the task, ended; None in place of one is a task that ended well."""

    error: str
    cause: str = ""


def stopped(code: str, exit_code: int | None = None, **more: Any) -> Failure:
    """A task that stopped, as Step Functions tells it."""
    container = {"Name": "handoff", **({} if exit_code is None else {"ExitCode": exit_code})}
    task = {"Containers": [container], "LastStatus": "STOPPED", "StopCode": code, **more}
    return Failure("States.TaskFailed", json.dumps(task, separators=(",", ":")))


def walked(
    ends: Sequence[Failure | None], definition: Mapping[str, Any] = DEFINITION
) -> tuple[str, list[Any], list[str], str]:
    """The last state, the capacity of each task that was started, the waits, and what the execution fails with."""
    states = definition["States"]
    data: dict[str, Any] = {**states["Begin"]["Parameters"], "messages": {"count": 0}}
    name, started, waits, coming = definition["StartAt"], list[Any](), list[str](), iter(ends)
    while True:
        state = states[name]
        match state["Type"]:
            case "Task" if name == "Run":
                started.append(data.get("capacity"))
                if failure := next(coming):
                    data["failure"] = {"Error": failure.error, "Cause": failure.cause}
                name = (state["Catch"][0] if failure else state)["Next"]
            case "Task" | "Wait":
                name = state["Next"]
            case "Choice":
                name = chosen(state, data)
            case "Pass":
                if name == "Count":
                    waits.append(state["Parameters"]["wait.$"])
                    data["retry"] = {"tries": data["retry"]["tries"] + 1}
                elif "Result" in state:
                    data[state["ResultPath"].removeprefix("$.")] = state["Result"]
                name = state["Next"]
            case "Fail" | "Succeed":
                return name, started, waits, state.get("Error", "")


LIKE_A_STOP = json.dumps({"StopCode": "TaskFailedToStart"}, separators=(",", ":"))


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(stopped("TaskFailedToStart", StoppedReason="CannotPullContainerError: ..."), id="no image"),
        pytest.param(stopped("TaskFailedToStart", StoppedReason="ResourceInitializationError: ..."), id="no network"),
        pytest.param(stopped("SpotInterruption", 143, StoppedReason="Your Spot Task was interrupted."), id="Spot"),
        pytest.param(stopped("TerminationNotice", 143), id="the host goes"),
        pytest.param(
            Failure("States.TaskFailed", json.dumps({"StopCode": "TaskFailedToStart"}, indent=1)), id="JSON with blanks"
        ),
        pytest.param(Failure("AmazonECS.Unknown", "[{reason: RESOURCE:ENI}]"), id="RunTask has failures"),
        pytest.param(Failure("ECS.AmazonECSException", "Capacity is unavailable at this time."), id="no capacity"),
        pytest.param(Failure("ECS.ThrottlingException", "Rate exceeded"), id="throttled"),
        pytest.param(Failure("ECS.InvalidParameterException", "Rate exceeded"), id="throttled, by another name"),
        pytest.param(Failure("ECS.ClientException", "Throttling: too many"), id="throttled, by a third name"),
        pytest.param(Failure("ECS.ServerException", "Service Unavailable"), id="ECS is down"),
        pytest.param(Failure("ECS.SdkClientException", "Unable to execute HTTP request"), id="ECS cannot be reached"),
        pytest.param(
            Failure("ECS.ClientException", "You've reached the limit on the number of tasks you can run concurrently"),
            id="too many tasks",
        ),
    ],
)
def test_a_start_that_fails_is_tried_again(failure: Failure) -> None:
    assert walked([failure, None])[:2] == ("Succeeded", [None] * 2)
    assert walked([failure] * 6 + [None])[:2] == ("Succeeded", [None] * 7)
    _, started, waits, error = walked([failure] * 99)
    ran = "Interruption" in failure.cause or "TerminationNotice" in failure.cause
    assert (len(started), len(waits), error) == (len(WAITS) + 1, len(WAITS), FAILED if ran else NOT_STARTED)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(stopped("EssentialContainerExited", 1), id="exit 1"),
        pytest.param(stopped("EssentialContainerExited", 137, Reason="OutOfMemoryError"), id="killed for memory"),
        pytest.param(stopped("EssentialContainerExited", 75), id="another run is under way"),
        pytest.param(stopped("UserInitiated", 143), id="stopped by somebody"),
        pytest.param(
            stopped("EssentialContainerExited", 1, Overrides={"Environment": [{"Name": "DATA", "Value": LIKE_A_STOP}]}),
            id="data that looks like a stop",
        ),
        pytest.param(
            stopped("EssentialContainerExited", 1, StoppedReason="Rate exceeded, Throttling"),
            id="a task about throttling",
        ),
        pytest.param(Failure("States.TaskFailed", "no JSON at all"), id="a cause without a form"),
        pytest.param(Failure("ECS.AccessDeniedException", "not authorized to perform: ecs:RunTask"), id="not allowed"),
        pytest.param(Failure("ECS.InvalidParameterException", "Invalid subnet"), id="a subnet that is none"),
        pytest.param(Failure("ECS.ClusterNotFoundException", "Cluster not found."), id="no cluster"),
        pytest.param(Failure("States.Permissions", "Rate exceeded"), id="not of ECS"),
        pytest.param(Failure("States.Runtime", ""), id="a mistake of ours"),
    ],
)
def test_what_failed_otherwise_is_not(failure: Failure) -> None:
    error = FAILED if failure.error == "States.TaskFailed" else NOT_STARTED
    assert walked([failure])[1:] == ([None], [], error)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param([None], ("Succeeded", 1, ""), id="it runs"),
        pytest.param([stopped("TaskFailedToStart"), None], ("Succeeded", 2, ""), id="it starts the second time"),
        pytest.param(
            [stopped("TaskFailedToStart"), Failure("AmazonECS.Unknown"), stopped("EssentialContainerExited", 1)],
            ("Failed", 3, FAILED),
            id="it starts the third time, and fails",
        ),
        pytest.param(
            [stopped("SpotInterruption"), stopped("EssentialContainerExited", 2)],
            ("Failed", 2, FAILED),
            id="it is taken away, starts again, and fails",
        ),
    ],
)
def test_one_after_another(ends: list[Failure | None], expected: tuple[str, int, str]) -> None:
    last, started, _, error = walked(ends)
    assert (last, len(started), error) == expected


NO_CAPACITY = Failure("ECS.AmazonECSException", "Capacity is unavailable at this time.")


@pytest.mark.parametrize(
    ("ends", "expected", "waits"),
    [
        pytest.param([None], [SPOT], 0, id="Spot has capacity"),
        pytest.param([NO_CAPACITY, None], [SPOT, ON_DEMAND], 0, id="no capacity"),
        pytest.param(
            [Failure("AmazonECS.Unknown", "Capacity is unavailable at this time."), None],
            [SPOT, ON_DEMAND],
            0,
            id="no capacity, among the failures",
        ),
        pytest.param([stopped("SpotInterruption", 143), None], [SPOT, ON_DEMAND], 0, id="interrupted"),
        pytest.param([stopped("TaskFailedToStart"), None], [SPOT, SPOT], 1, id="not for want of capacity"),
        pytest.param(
            [stopped("TaskFailedToStart"), NO_CAPACITY, NO_CAPACITY, None],
            [SPOT, SPOT, ON_DEMAND, ON_DEMAND],
            2,
            id="no capacity on demand either",
        ),
    ],
)
def test_what_spot_cannot_do_is_started_on_demand(ends: list[Failure | None], expected: list[Any], waits: int) -> None:
    last, started, waited, error = walked(ends, FALLBACK)
    assert (last, started, len(waited), error) == ("Succeeded", expected, waits, "")


def test_a_run_that_failed_on_spot_is_not_started_on_demand() -> None:
    said = stopped("EssentialContainerExited", 1, StoppedReason="Capacity is unavailable")
    assert walked([said], FALLBACK) == ("Failed", [SPOT], [], FAILED)


def test_waits_grow_and_differ() -> None:
    assert STATES["Count"]["Parameters"] == {
        "tries.$": "States.MathAdd($.retry.tries, 1)",
        "wait.$": "States.MathAdd(States.ArrayGetItem(States.Array(10, 30, 60, 120, 240, 480), $.retry.tries), "
        "States.MathRandom(0, 10))",
    }
    assert list(WAITS) == sorted(WAITS)
    assert sum(WAITS) < 20 * 60
    assert STATES["Wait"] == {"Type": "Wait", "SecondsPath": "$.retry.wait", "Next": "Run"}


# whom it tells


def test_people_are_notified_once_of_each_execution() -> None:
    """By a name that is taken only once; what was started and could not say so is no error."""
    alert, recovery = STATES["Alert"], STATES["AlertOfRecovery"]
    of_execution = {"execution.$": "$$.Execution.Name"}
    assert alert["Parameters"] == {
        "StateMachineArn": {"Ref": "AlertMachine"},
        "Name.$": "$$.Execution.Name",
        "Input": {
            **of_execution,
            "error.$": "$.failure.Error",
            "cause.$": "$.failure.Cause",
            "schedule.$": "$.named[*].variables[?(@.Name=='HANDOFF_SCHEDULE')].Value",
        },
    }
    assert recovery["Parameters"] == {**alert["Parameters"], "Input": of_execution}
    catches = [(catch["ErrorEquals"], catch["Next"]) for catch in (*alert["Catch"], *recovery["Catch"])]
    assert catches == [
        (["StepFunctions.ExecutionAlreadyExistsException"], "Ended"),
        (["States.ALL"], "NotAlerted"),
        (["States.ALL"], "Succeeded"),
    ]


def test_a_run_that_succeeds_is_announced_only_where_it_has_left_a_message() -> None:
    look = STATES["Look"]
    assert look["Parameters"]["Prefix.$"] == f"States.Format('{STACK}/alerts/{{}}.json', $$.Execution.Name)"
    assert [chosen(STATES["HasMessage"], {"messages": {"count": count}}) for count in (0, 1)] == [
        *("Succeeded", "AlertOfRecovery")
    ]
    assert look["Catch"][0]["Next"] == "Succeeded"


# its form


@pytest.mark.parametrize("definition", [pytest.param(DEFINITION, id="as it is"), pytest.param(FALLBACK, id="fallback")])
def test_every_state_is_reached_and_there(definition: dict[str, Any]) -> None:
    states = definition["States"]
    named = {definition["StartAt"], *(name for state in states.values() for name in nexts(state))}
    assert named == set(states)


def nexts(state: Any) -> Iterator[str]:
    match state:
        case dict():
            yield from (value for key, value in state.items() if key in {"Next", "Default"} and isinstance(value, str))
            for value in state.values():
                yield from nexts(value)
        case list():
            for value in state:
                yield from nexts(value)


def test_how_it_ends() -> None:
    """With an error of ours: the rule hears of all others, and of one whose message could not be sent."""
    ends = {name: state["Error"] for name, state in STATES.items() if state["Type"] == "Fail"}
    assert ends == {"NotStarted": NOT_STARTED, "Failed": FAILED, "NotAlerted": "Handoff.NotAlerted"}
    assert {STATES[name]["CausePath"] for name in ends} == {"$.failure.Cause"}
    assert DEFINITION["TimeoutSeconds"] == 7 * 24 * 60 * 60


# what it runs

NETWORK = {name: {"Fn::Split": [",", {"Ref": name}]} for name in ("Subnets", "SecurityGroups")}


@pytest.mark.parametrize(
    ("deploy", "capacity", "address"),
    [
        pytest.param(Deploy(), {"LaunchType": "FARGATE"}, "ENABLED", id="as it is"),
        pytest.param(
            Deploy(spot=True, public_ip=False),
            {"CapacityProviderStrategy": SPOT},
            "DISABLED",
            id="Spot, without an address",
        ),
        pytest.param(
            Deploy(exec=True), {"LaunchType": "FARGATE", "EnableExecuteCommand": True}, "ENABLED", id="open to a shell"
        ),
        pytest.param(
            Deploy(spot="fallback"), {"CapacityProviderStrategy.$": "$.capacity"}, "ENABLED", id="Spot, else on demand"
        ),
    ],
)
def test_what_it_runs(deploy: Deploy, capacity: dict[str, Any], address: str) -> None:
    run = machine(deploy)["States"]["Run"]
    assert run["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:states:::ecs:runTask.sync"}
    assert run["Parameters"] == {
        "Cluster": {"Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:cluster/handoff-dev"},
        "TaskDefinition": STACK,
        **capacity,
        "NetworkConfiguration": {"AwsvpcConfiguration": {**NETWORK, "AssignPublicIp": address}},
        "PropagateTags": "TASK_DEFINITION",
        "Overrides.$": "States.JsonMerge($.size, $.container, false)",
    }
