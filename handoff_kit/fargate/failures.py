"""Why a task never started: patterns of AWS's reasons, what they mean, and what to do.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from handoff_kit.fargate.known import Known

_NO_ROUTE = (
    r"i/o timeout|RequestError|RequestCanceled|dial tcp|no route|connection (refused|timed out)|no such host|"
    r"deadline exceeded|network configuration"
)
_DENIED = r"AccessDenied|not authorized|403 Forbidden|\b401\b|access denied|no basic auth"
NETWORK = "network"


@dataclass(frozen=True)
class Failure:
    """`pattern` matches the reason, `todo` is advice with placeholders; `again` where a retry may succeed."""

    pattern: str
    words: str
    todo: str = ""
    again: bool = False

    @property
    def told(self) -> str:
        """The sentence about the task."""
        return f"never started: {self.words}" if self.words else "never started"

    def hint(self, known: Known) -> str:
        """The advice for a project."""
        if self.todo == NETWORK:
            return _network(known)
        words = {"deploy": known.invoke("deploy"), "run": known.invoke("run"), "file": known.file, "stack": known.stack}
        return self.todo.format(**words)


_UNREACHABLE = "its subnet cannot reach {}"
TABLE = (
    Failure(
        r"pull rate limit|toomanyrequests",
        "the registry of its image lets no more pulls through",
        "wait a while, then: {run}; or {file}: image: {{base: ...}} from a registry without such a limit",
        again=True,
    ),
    Failure(
        r"CannotPullContainer.*([Mm]anifest does not contain|no match(ing)? .*platform|exec format)",
        "its image is built for another processor",
        "{file}: deploy: {{architecture: ...}} as the image is built, then: {deploy}",
    ),
    Failure(
        r"exec format error",
        "its image is built for another processor",
        "{file}: deploy: {{architecture: ...}} as the image is built, then: {deploy}",
    ),
    Failure(
        r"no space left on device",
        "its image does not fit on its disk",
        "{file}: deploy: {{storage: 50}}, then: {deploy}",
    ),
    Failure(
        rf"CannotPullContainer.*({_NO_ROUTE})",
        _UNREACHABLE.format("the registry of its image (ECR)"),
        NETWORK,
        again=True,
    ),
    Failure(
        rf"CannotPullContainer.*({_DENIED})",
        "it may not pull its image",
        "its execution role or the policy of the repository was changed: {deploy}",
    ),
    Failure(
        r"CannotPullContainer.*(not found|does not exist|manifest unknown|NotFound)",
        "its image does not exist any more",
        "build and push it again: {deploy}",
    ),
    Failure(r"CannotPullContainer", "its image could not be pulled", "try again: {run}; else: {deploy}", again=True),
    Failure(
        r"ResourceInitialization.*(log group does not exist|log stream.*ResourceNotFound)",
        "its log group does not exist",
        "{deploy}",
    ),
    Failure(
        rf"ResourceInitialization.*(logger|log driver|logging driver|Cloudwatch|log stream).*({_NO_ROUTE})",
        _UNREACHABLE.format("CloudWatch Logs"),
        NETWORK,
        again=True,
    ),
    Failure(
        rf"ResourceInitialization.*\becr\b.*({_NO_ROUTE})",
        _UNREACHABLE.format("the registry of its image (ECR)"),
        NETWORK,
        again=True,
    ),
    Failure(
        rf"ResourceInitialization.*(ssm|secretsmanager|secrets? manager).*({_NO_ROUTE})",
        _UNREACHABLE.format("Parameter Store or Secrets Manager"),
        NETWORK,
        again=True,
    ),
    Failure(
        rf"ResourceInitialization.*({_DENIED})",
        "its execution role lacks a permission",
        "the role was changed, or a policy of the organization forbids it; create it again: {deploy}",
    ),
    Failure(rf"ResourceInitialization.*({_NO_ROUTE})", _UNREACHABLE.format("AWS"), NETWORK, again=True),
    Failure(r"unable to assume the role|assume role", "ECS may not take on its roles", "create them again: {deploy}"),
    Failure(
        r"executable file not found|no such file or directory|permission denied.*exec|exec:.*permission denied",
        "its image lacks the program that the container executes",
        "build it again: {deploy}",
    ),
    Failure(
        r"InsufficientFreeAddresses|insufficient free addresses",
        "its subnet has no free address left",
        "when others have ended: {run}; or name other subnets: {file}, deploy: {{subnets: [...]}}",
        again=True,
    ),
    Failure(
        r"[Cc]apacity is unavailable|RESOURCE:|no capacity|InsufficientCapacity|[Ii]nsufficient capacity",
        "AWS has no capacity free at present",
        "later, or not on Spot ({file}: deploy: {{spot: false}}): {run}",
        again=True,
    ),
    Failure(
        r"limit on the number of|vCPU limit|quota",
        "the account's limit of Fargate tasks is reached",
        "when others have ended: {run}; raise it: aws service-quotas list-service-quotas --service-code fargate",
        again=True,
    ),
    Failure(r"Rate exceeded|[Tt]hrottl", "AWS throttled the request", "later: {run}", again=True),
    Failure(
        r"(subnet|security ?group|sg-|subnet-).*(does not exist|not exist|NotFound|invalid)",
        "its network does not exist any more",
        "name existing ones: {file}, deploy: {{subnets: [...], security_groups: [...]}}, then: {deploy}",
    ),
    Failure(
        r"[Nn]etwork ?[Ii]nterface|elastic network|attachment",
        "it got no address in its subnet",
        "try again: {run}",
        again=True,
    ),
    Failure(r"EphemeralStorage|ephemeral storage", "it got no disk in time", "try again: {run}", again=True),
    Failure(
        r"SpotInterruption|Spot Task was interrupted",
        "AWS took the Spot capacity back before it did",
        "try again: {run}; without Spot: {file}, deploy: {{spot: false}}",
        again=True,
    ),
    Failure(r"UserInitiated", "it was stopped before", "start it again: {run}"),
    Failure(r"OutOfMemory", "it was killed for memory before", "{file}: deploy: {{memory: ...}}, then: {deploy}"),
    Failure(
        r"ResourceInitialization|CannotStart|CannotCreate|CannotInspect|ContainerRuntime|DockerTimeout|InternalError|Timeout|ServiceUnavailable",
        "AWS could not prepare its container",
        "try again: {run}",
        again=True,
    ),
)
OTHER = Failure("", "", "try again: {run}; what its service says: https://health.aws.amazon.com", again=True)


def of_start(text: str) -> Failure:
    """The failure that the reason of a task which never ran matches."""
    return next((each for each in TABLE if re.search(each.pattern, text, re.DOTALL)), OTHER)


def _network(known: Known) -> str:
    """Routes to AWS: a public address and an internet gateway, a NAT gateway, or endpoints of the VPC."""
    if known.public_ip:
        return (
            f"{known.file}: deploy: {{subnets: [...]}} must be subnets with a route to an internet gateway (public_ip "
            "gives the address), and security groups must let HTTPS out"
        )
    return (
        f"{known.file}: deploy: {{public_ip: true}} with a route to an internet gateway, or subnets with a NAT "
        f"gateway, or endpoints for ECR, S3, Logs and SSM in the VPC; then: {known.invoke('deploy')}"
    )
