"""The state machine that a schedule starts: it runs the task, and where the task never started, starts it again.

Only the start is tried again. What ran and failed is not: it may have done half of its work. A run that Fargate Spot
took away is started again too, since its state moved only if it had come to its end.

What Step Functions makes of a task that ends badly (https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html):
a refusal of RunTask is an error `ECS...Exception`, its `failures` are `AmazonECS.Unknown`, and a task that stopped is
`States.TaskFailed`, whose cause is the task as JSON. The stop codes are those of
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handoff_kit import resource_names
from handoff_kit.resource_names import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handoff_kit.settings.deploy import Deploy

__all__ = ["NOT_STARTED", "WAITS", "WEEK", "machine"]

WAITS = (10, 30, 60, 120, 240, 480)
"""Seconds before each further try, to which up to JITTER are added."""
JITTER = 10
WEEK = 7 * 24 * 60 * 60
"""A run that takes longer hangs."""
NOT_STARTED = "Handoff.NotStarted"

STOPPED = "States.TaskFailed"
PASSING_STOPS = ("TaskFailedToStart", "SpotInterruption", "TerminationNotice")
PASSING_ERRORS = (
    "AmazonECS.Unknown",
    "ECS.AmazonECSException",  # no capacity: https://repost.aws/knowledge-center/ecs-fargate-runtask-capacity
    "ECS.SdkClientException",
    "ECS.ServerException",
    "ECS.ThrottlingException",
)
PASSING_CAUSES = ("*Rate exceeded*", "*hrottl*", "*apacity is unavailable*", "*limit on the number of tasks*")
"""What ECS says with an error that may mean something else as well, like ECS.InvalidParameterException."""


def machine(deploy: Deploy, stack: str) -> dict[str, Any]:
    """Its definition; cluster, subnets and security groups are parameters of the template it stands in."""
    return {
        "Comment": f"Runs {stack} as a task; tries again what does not start, never what ran and failed",
        "TimeoutSeconds": WEEK,
        "StartAt": "Begin",
        "States": {
            "Begin": {"Type": "Pass", "Parameters": _first(), "Next": "Run"},
            "Run": _run(deploy, stack),
            "Judge": {"Type": "Choice", "Choices": [_stopped_early(), _refused()], "Default": "Failed"},
            "Again": _again(),
            "Count": _count(),
            "Wait": {"Type": "Wait", "SecondsPath": "$.wait", "Next": "Run"},
            "NotStarted": {"Type": "Fail", "Error": NOT_STARTED, "CausePath": "$.failure.Cause"},
            "Failed": {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
        },
    }


def _first() -> dict[str, Any]:
    return {"text.$": "States.JsonToString($.data)", "tries": 0}


def _run(deploy: Deploy, stack: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": {"Fn::Sub": "arn:${AWS::Partition}:states:::ecs:runTask.sync"},
        "Parameters": {
            "Cluster": {"Ref": "Cluster"},
            "TaskDefinition": resource_names.family(stack),  # without a revision: the newest
            **_capacity(deploy),
            "NetworkConfiguration": {"AwsvpcConfiguration": _network(deploy)},
            "PropagateTags": "TASK_DEFINITION",
            "Overrides": {"ContainerOverrides": [_container()]},
        },
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Judge"}],
        "End": True,
    }


def _capacity(deploy: Deploy) -> dict[str, Any]:
    if deploy.spot:
        return {"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]}
    return {"LaunchType": "FARGATE"}


def _network(deploy: Deploy) -> dict[str, Any]:
    address = "ENABLED" if deploy.public_ip else "DISABLED"
    return {"Subnets": {"Ref": "Subnets"}, "SecurityGroups": {"Ref": "SecurityGroups"}, "AssignPublicIp": address}


def _container() -> dict[str, Any]:
    return {"Name": CONTAINER, "Environment": [{"Name": "DATA", "Value.$": "$.text"}]}


def _stopped_early() -> dict[str, Any]:
    """It never started, or was taken away; in JSON text a quote inside of a value never stands without a backslash."""
    codes = [_cause(f'*"StopCode":{blank}"{code}"*') for code in PASSING_STOPS for blank in ("", " ")]
    return {"And": [_error(STOPPED), _any(codes)], "Next": "Again"}


def _refused() -> dict[str, Any]:
    """RunTask was refused with what passes; every such error begins so."""
    refused = _any([{"Variable": "$.failure.Error", "StringMatches": start} for start in ("ECS.*", "AmazonECS.*")])
    passing = [*map(_error, PASSING_ERRORS), *map(_cause, PASSING_CAUSES)]
    return {"And": [refused, _any(passing)], "Next": "Again"}


def _error(name: str) -> dict[str, Any]:
    return {"Variable": "$.failure.Error", "StringEquals": name}


def _cause(pattern: str) -> dict[str, Any]:
    return {"Variable": "$.failure.Cause", "StringMatches": pattern}


def _any(rules: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"Or": list(rules)}


def _again() -> dict[str, Any]:
    tried = {"Variable": "$.tries", "NumericGreaterThanEquals": len(WAITS), "Next": "NotStarted"}
    return {"Type": "Choice", "Choices": [tried], "Default": "Count"}


def _count() -> dict[str, Any]:
    wait = f"States.ArrayGetItem(States.Array({', '.join(map(str, WAITS))}), $.tries)"
    parameters = {
        "text.$": "$.text",
        "tries.$": "States.MathAdd($.tries, 1)",
        "wait.$": f"States.MathAdd({wait}, States.MathRandom(0, {JITTER}))",
    }
    return {"Type": "Pass", "Parameters": parameters, "Next": "Wait"}
