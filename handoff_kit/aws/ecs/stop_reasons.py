"""The result of a task from DescribeTasks: the exit code, why it stopped or never started, and what to do.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.project.fargate_sizes import next_larger
from handoff_kit.resource_names import CONTAINER

STOPPED, DEPROVISIONING = "STOPPED", "DEPROVISIONING"
FAILED, DATA_ERROR, KILLED = 1, 65, 137
FAILED_TO_START = "TaskFailedToStart"
RESTARTED_STOP_CODES = (FAILED_TO_START, "SpotInterruption", "TerminationNotice")
"""Of tasks that the state machine starts again: they never ran, or AWS took them away. `StopCode` of an ECS Task:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html"""
OUT_OF_MEMORY = ("OutOfMemory", "memory usage", "killed for memory")
_NO_ROUTE = (
    r"i/o timeout|RequestError|RequestCanceled|dial tcp|no route|connection (refused|timed out)|no such host|"
    r"deadline exceeded|network configuration"
)
_DENIED = r"AccessDenied|not authorized|403 Forbidden|\b401\b|access denied|no basic auth"


@dataclass(frozen=True)
class TaskResult:
    """The exit code of `invoke run`, a sentence and a hint; `retryable` where another task may succeed.

    A task that never `ran` has no log.
    """

    code: int
    sentence: str
    hint: str | None = None
    retryable: bool = False
    ran: bool = True


def is_stopped(task: Mapping[str, Any]) -> bool:
    """Whether it is STOPPED, or its containers are and only its network interface is still attached."""
    if task["lastStatus"] == DEPROVISIONING:
        return bool(task.get("stopCode")) and exit_code(task) is not None
    return bool(task["lastStatus"] == STOPPED)


def exit_code(task: Mapping[str, Any]) -> int | None:
    """The exit code of the container; None where it has none yet, or never ran."""
    code = _container(task).get("exitCode")
    return None if code is None else int(code)


def has_started(task: Mapping[str, Any]) -> bool:
    """Whether its container has started, and so may have logged."""
    return exit_code(task) is not None or bool(task.get("startedAt"))


def is_restarted(task: Mapping[str, Any]) -> bool:
    """Whether the state machine starts another task in place of a stopped one."""
    return task.get("stopCode") in RESTARTED_STOP_CODES and exit_code(task) != 0


def explain_stop(task: Mapping[str, Any], tasks: ProjectTasks, last_line: str = "") -> TaskResult:
    """The result; `last_line` is that of the runtime, where its log was read."""
    code = exit_code(task)
    if code is not None:
        return _explain_exit(code, task, tasks, last_line)
    why = _stop_reason(task)
    if has_started(task):
        reason = ": ".join(filter(None, (last_line, why))) or "no reason given"
        return TaskResult(FAILED, f"stopped without an exit code: {reason}", f"see its log: {tasks.invoke('logs')}")
    failure = match_start_failure(f"{task.get('stopCode', '')} {why}")
    sentence = ": ".join(filter(None, ("never started", failure.reason, why)))
    return TaskResult(FAILED, sentence, fill_advice(failure.advice, tasks), failure.retryable, ran=False)


def _container(task: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = task.get("containers") or [{}]
    return next((each for each in containers if each.get("name") == CONTAINER), containers[0])


def _stop_reason(task: Mapping[str, Any]) -> str:
    """stoppedReason and the container's reason, in one line."""
    texts = (task.get("stoppedReason", ""), _container(task).get("reason", ""))
    return " ".join(" ".join(dict.fromkeys(filter(None, texts))).split())


def _explain_exit(code: int, task: Mapping[str, Any], tasks: ProjectTasks, last_line: str) -> TaskResult:
    stop, why = task.get("stopCode", ""), f"{_stop_reason(task)} {last_line}"
    reason = last_line.partition(": ")[2]
    if code == 0:
        return TaskResult(0, "succeeded (exit 0)")
    if code == KILLED and any(word in why for word in OUT_OF_MEMORY):
        return _out_of_memory(task, tasks)
    if stop == "SpotInterruption":
        sentence = "was interrupted: AWS took the Spot capacity back"
        advice = "start it again: {run}; to pay for no interruption: {file}, deploy: {{spot: false}}"
    elif stop == "TerminationNotice":
        sentence, advice = "was stopped by AWS for maintenance", "start it again: {run}"
    elif stop == "UserInitiated":
        reason = " ".join(str(task.get("stoppedReason") or "no reason given").split())
        sentence = f"was {reason}" if reason.startswith("stopped ") else f"was stopped: {reason}"
        advice = "see what it had done: {logs}"
        if code == KILLED:
            sentence += f"; it had not ended {tasks.stop_timeout} s after SIGTERM, and was killed"
            advice = "give it longer: {file}, deploy: {{stop_timeout: 120}}"
    elif code in EXIT_CODES:
        sentence, advice = EXIT_CODES[code]
        if reason and code == DATA_ERROR:  # which of the two, and how many
            sentence = f"failed: {reason}"
    else:
        signal = code - 128
        sentence = f"failed: a program was ended by signal {signal}" if signal > 0 else "failed"
        sentence, advice = f"failed: {reason}" if reason else sentence, _LOG
    return TaskResult(code, f"{sentence} (exit {code})", fill_advice(advice, tasks))


def _out_of_memory(task: Mapping[str, Any], tasks: ProjectTasks) -> TaskResult:
    cpu, memory = int(task.get("cpu") or 0), int(task.get("memory") or 0)
    words = f"ran out of memory: it needed more than its {memory:,} MiB (exit {KILLED})"
    size = next_larger(cpu, memory)
    if size is None:
        return TaskResult(KILLED, words, "that is Fargate's largest size; have the stages work in smaller pieces")
    line = f"deploy: {{cpu: {size[0]}, memory: {size[1]}}}"
    once = f"for one run: {tasks.invoke('run')} --cpu {size[0]} --memory {size[1]}"
    return TaskResult(KILLED, words, f"{once}; for all: {tasks.file}, {line}, then: {tasks.invoke('deploy')}")


def fill_advice(advice: str, tasks: ProjectTasks) -> str:
    """Advice with its placeholders filled: commands, the project file, the stack, a way out of the network."""
    network = (
        f"{tasks.file}: deploy: {{subnets: [...]}} must be subnets with a route to an internet gateway "
        "(public_ip gives the address), and security groups must let HTTPS out"
        if tasks.public_ip
        else f"{tasks.file}: deploy: {{public_ip: true}} with a route to an internet gateway, or subnets with a NAT "
        f"gateway, or endpoints for ECR, S3, Logs and SSM in the VPC; then: {tasks.invoke('deploy')}"
    )
    commands = {name: tasks.invoke(name) for name in ("check", "deploy", "logs", "run", "status")}
    return advice.format(
        **commands,
        repair=tasks.invoke("deploy --repair"),
        push=tasks.invoke("params.push"),
        file=tasks.file,
        stack=tasks.target.name,
        network=network,
    )


_LOG = "see its log: {logs}"
EXIT_CODES = {
    64: ("failed: --data or --command is wrong", f"{_LOG}; see the options: invoke run --help"),
    DATA_ERROR: ("failed: fewer rows passed than expected, or a target did not read all of its input", _LOG),
    69: ("failed: its params, files, artifacts or state could not be read or stored", _LOG),
    75: ("did nothing: another run of the project is under way", "see which: {status}"),
    78: ("failed: its params are invalid", "{check}, then: {push}, then: {run}"),
    124: ("failed: a stage or the run took too long", _LOG),
    126: ("failed: a command cannot be executed", _LOG),
    127: ("failed: a command is not in the image", f"{_LOG}; once corrected: {{deploy}}"),
    KILLED: ("was killed (SIGKILL)", f"{_LOG}; if it mentions memory: {{file}}, deploy: {{{{memory: ...}}}}"),
    139: ("failed: a program crashed (SIGSEGV)", f"{_LOG}; a library may be built for another processor"),
    143: ("was stopped (SIGTERM)", _LOG),
}
"""The exit codes of the runtime (docs/reference/exit-codes.md), and those of a signal: sentence and advice."""


@dataclass(frozen=True)
class StartFailure:
    """`pattern` matches the reason, `advice` has placeholders; `retryable` where a retry may succeed."""

    pattern: str
    reason: str
    advice: str
    retryable: bool = False


def _no_route(pattern: str, service: str) -> StartFailure:
    return StartFailure(rf"{pattern}.*({_NO_ROUTE})", f"its subnet cannot reach {service}", "{network}", retryable=True)


START_FAILURES = (
    StartFailure(
        r"pull rate limit|toomanyrequests",
        "the registry of its image lets no more pulls through",
        "wait a while, then: {run}; or {file}: image: {{base: ...}} from a registry without such a limit",
        retryable=True,
    ),
    StartFailure(
        r"CannotPullContainer.*([Mm]anifest does not contain|no match(ing)? .*platform|exec format)|exec format error",
        "its image is built for another processor",
        "{file}: deploy: {{architecture: ...}} as the image is built, then: {deploy}",
    ),
    StartFailure(
        r"no space left on device",
        "its image does not fit on its disk",
        "{file}: deploy: {{storage: 50}}, then: {deploy}",
    ),
    _no_route(r"CannotPullContainer", "the registry of its image (ECR)"),
    StartFailure(
        rf"CannotPullContainer.*({_DENIED})",
        "it may not pull its image",
        "its execution role or the policy of the repository was changed: {repair}",
    ),
    StartFailure(
        r"CannotPullContainer.*(not found|does not exist|manifest unknown|NotFound)",
        "its image does not exist any more",
        "build and push it again: {deploy}",
    ),
    StartFailure(
        r"CannotPullContainer", "its image could not be pulled", "try again: {run}; else: {deploy}", retryable=True
    ),
    StartFailure(
        r"ResourceInitialization.*(log group does not exist|log stream.*ResourceNotFound)",
        "its log group does not exist",
        "{repair}",
    ),
    _no_route(r"ResourceInitialization.*(logger|log driver|logging driver|Cloudwatch|log stream)", "CloudWatch Logs"),
    _no_route(r"ResourceInitialization.*\becr\b", "the registry of its image (ECR)"),
    _no_route(r"ResourceInitialization.*(ssm|secretsmanager|secrets? manager)", "Parameter Store or Secrets Manager"),
    StartFailure(
        rf"ResourceInitialization.*({_DENIED})",
        "its execution role lacks a permission",
        "the role was changed, or a policy of the organization forbids it; create it again: {repair}",
    ),
    _no_route(r"ResourceInitialization", "AWS"),
    StartFailure(
        r"unable to assume the role|assume role", "ECS may not take on its roles", "create them again: {repair}"
    ),
    StartFailure(
        r"executable file not found|no such file or directory|permission denied.*exec|exec:.*permission denied",
        "its image lacks the program that the container executes",
        "build it again: {deploy}",
    ),
    StartFailure(
        r"InsufficientFreeAddresses|insufficient free addresses",
        "its subnet has no free address left",
        "when others have ended: {run}; or name other subnets: {file}, deploy: {{subnets: [...]}}",
        retryable=True,
    ),
    StartFailure(
        r"[Cc]apacity is unavailable|RESOURCE:|no capacity|InsufficientCapacity|[Ii]nsufficient capacity",
        "AWS has no capacity free at present",
        "later, or not on Spot ({file}: deploy: {{spot: false}}): {run}",
        retryable=True,
    ),
    StartFailure(
        r"limit on the number of|vCPU limit|quota",
        "the account's limit of Fargate tasks is reached",
        "when others have ended: {run}; raise it: aws service-quotas list-service-quotas --service-code fargate",
        retryable=True,
    ),
    StartFailure(r"Rate exceeded|[Tt]hrottl", "AWS throttled the request", "later: {run}", retryable=True),
    StartFailure(
        r"(subnet|security ?group|sg-|subnet-).*(does not exist|not exist|NotFound|invalid)",
        "its network does not exist any more",
        "{repair}; or name existing ones: {file}, deploy: {{subnets: [...], security_groups: [...]}}, then: {deploy}",
    ),
    StartFailure(
        r"[Nn]etwork ?[Ii]nterface|elastic network|attachment",
        "it got no address in its subnet",
        "try again: {run}",
        retryable=True,
    ),
    StartFailure(r"EphemeralStorage|ephemeral storage", "it got no disk in time", "try again: {run}", retryable=True),
    StartFailure(
        r"SpotInterruption|Spot Task was interrupted",
        "AWS took the Spot capacity back before it did",
        "try again: {run}; without Spot: {file}, deploy: {{spot: false}}",
        retryable=True,
    ),
    StartFailure(r"UserInitiated", "it was stopped before", "start it again: {run}"),
    StartFailure(r"OutOfMemory", "it was killed for memory before", "{file}: deploy: {{memory: ...}}, then: {deploy}"),
    StartFailure(
        r"ResourceInitialization|CannotStart|CannotCreate|CannotInspect|ContainerRuntime|DockerTimeout|InternalError|Timeout|ServiceUnavailable",
        "AWS could not prepare its container",
        "try again: {run}",
        retryable=True,
    ),
)
OTHER_FAILURE = StartFailure(
    "", "", "try again: {run}; what its service says: https://health.aws.amazon.com", retryable=True
)


def match_start_failure(text: str) -> StartFailure:
    """The failure that the reason of a task which never ran matches."""
    return next((each for each in START_FAILURES if re.search(each.pattern, text, re.DOTALL)), OTHER_FAILURE)
