"""Starting a task: RunTask until there is one, each further try told, and not for ever."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate import failures
from handoff_kit.fargate.tasks import ECS
from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.fargate.ground import Cluster

__all__ = ["Effects", "start"]

WAITS = (5.0, 15.0, 30.0, 60.0)
"""Seconds between tries where AWS has no capacity, or nobody may start so many."""

PASSING = re.compile(r"[Cc]apacity is|RESOURCE|Rate exceeded|[Tt]hrottl|limit on the number of|AGENT")
TRIED = "still after"  # what a call tells that was made again and again as it was
REFUSALS = (
    (r"ClusterNotFound|ClusterContainsNo|Cluster not found", "its cluster is not there: {deploy}"),
    (r"TaskDefinition (not found|is inactive)|Unable to (find|describe) task definition|MISSING", "{deploy}"),
    (r"[Ss]ubnet", "{file}: deploy: {{subnets: [...]}} must name subnets of this region"),
    (r"[Ss]ecurity ?[Gg]roup", "{file}: deploy: {{security_groups: [...]}} must name groups of the subnets' VPC"),
    (r"[Cc]apacity [Pp]rovider", "the cluster needs FARGATE and FARGATE_SPOT: aws ecs put-cluster-capacity-providers"),
    (r"iam:PassRole", "allow it to whoever runs this: iam:PassRole on the roles below /handoff/{stack}/"),
    (
        r"PlatformTaskDefinition|Fargate only supports|No Fargate configuration",
        "{file}: deploy: {{cpu: ..., memory: ...}}",
    ),
)


@dataclass(frozen=True)
class Effects:
    """What a wait does besides: say a line, wait, tell the time, and look whether to go on (`check` raises)."""

    say: Callable[[str], None]
    pause: Callable[[float], None]
    clock: Callable[[], float]
    check: Callable[[], None]


def start(cluster: Cluster, request: Mapping[str, Any], effects: Effects) -> str:
    """Start a task; its ARN. The client token has a call whose answer was lost find the task it started."""
    for wait in (*WAITS, None):
        found, why = _tried(cluster, request)
        if found:
            return found
        if wait is None or not PASSING.search(why):
            raise _refused(cluster, why, tries=len(WAITS) + 1 if wait is None else 1)
        effects.say(f"not started: {why}; again in {wait:.0f} s")
        effects.pause(wait)
        effects.check()
    raise AssertionError


def _tried(cluster: Cluster, request: Mapping[str, Any]) -> tuple[str, str]:
    """The ARN of the task, or why there is none."""
    try:
        answer = cluster.stack.call(ECS, "run_task", **request, clientToken=str(uuid.uuid4()))
    except AWSError as error:
        if error.passing and not PASSING.search(error.message):  # no answer: it may have started one
            known = cluster.known
            look = f"a task may have started all the same: {known.invoke('status')}"
            raise AWSError(error.message, f"{look}; if none runs: {known.invoke('run')}") from None
        if TRIED in error.message or not PASSING.search(error.message):
            raise _advised(cluster, error) from None
        return "", error.message
    if answer["tasks"]:
        return str(answer["tasks"][0]["taskArn"]), ""
    texts = [f"{each.get('reason', '')} {each.get('detail') or ''}".strip() for each in answer.get("failures", ())]
    return "", ", ".join(texts) or "ECS started none, and said nothing"


def _refused(cluster: Cluster, why: str, tries: int) -> AWSError:
    times = f", {tries} times" if tries > 1 else ""
    known = failures.of_start(why)
    return _advised(
        cluster, AWSError(f"task of {cluster.family}: not started{times}: {why}", known.hint(cluster.known))
    )


def _advised(cluster: Cluster, error: AWSError) -> AWSError:
    """The same error, with what to do where that is known better here than by who met it."""
    known = cluster.known
    words = {"deploy": known.invoke("deploy"), "file": known.file, "stack": known.stack}
    todo = next((todo for pattern, todo in REFUSALS if re.search(pattern, error.message)), None)
    return AWSError(error.message, todo.format(**words) if todo else error.hint)
