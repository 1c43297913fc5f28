"""An AWS account of one test, with everything a project needs: LocalStack, a registry behind ECR's name, Fargate.

`environ` is for `invoke`; the rest looks at what is really there, and does what in AWS nobody does by hand.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from doubles.ecr import find_names, serve_ecr
from doubles.localstack import AwsAccount, new_account
from doubles.policies import may, statements, trusts
from doubles.runtime_project import until
from handoff_kit import resource_names
from handoff_kit.aws.ecr import DEPLOYED
from handoff_kit.resource_names import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from doubles.containers import Engine
    from doubles.ecr import Registry
    from doubles.fargate import Fargate
    from doubles.fargate_task import Faults

POOL = 96  # docker may take five seconds to notice a name that was told later
PATIENCE = 90.0
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
OVER = "_IN_PROGRESS"


@dataclass(frozen=True)
class Fired:
    """An execution of a state machine that has ended."""

    arn: str
    status: str
    input: Any
    output: Any
    error: str
    cause: Any


@dataclass(frozen=True)
class Account:
    """One test's; `docker_config` is where its logins are kept."""

    aws_account: AwsAccount
    fargate: Fargate
    registry: Registry
    docker: Engine
    docker_config: Path

    @property
    def number(self) -> str:
        """Twelve digits."""
        return self.aws_account.account

    @property
    def environ(self) -> dict[str, str]:
        """For `invoke`, whose docker keeps its logins to itself."""
        return {**self.aws_account.environ, **self.docker.env, "DOCKER_CONFIG": str(self.docker_config)}

    @property
    def faults(self) -> Faults:
        """What shall go wrong with this account's tasks."""
        return self.fargate.faults[self.number]

    def boto(self, service: str) -> Any:
        """A client of boto3."""
        return self.aws_account.boto(service)

    # what is there

    def stacks(self) -> dict[str, str]:
        """The status of each stack that is there."""
        found = self.boto("cloudformation").describe_stacks()["Stacks"]
        return {each["StackName"]: each["StackStatus"] for each in found if each["StackStatus"] != "DELETE_COMPLETE"}

    def outputs(self, stack: str) -> dict[str, str]:
        """What a stack tells."""
        said = self.boto("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in said.get("Outputs", ())}

    def resources(self, stack: str) -> dict[str, str]:
        """What a stack has made: type by logical name."""
        found = self.boto("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return {each["LogicalResourceId"]: each["ResourceType"] for each in found}

    def images(self, repository: str) -> dict[str, str]:
        """Digest by tag, but for the tags of deployments."""
        found = self.boto("ecr").describe_images(repositoryName=repository)["imageDetails"]
        tags = ((tag, each["imageDigest"]) for each in found for tag in each.get("imageTags", ()))
        return {tag: digest for tag, digest in tags if not tag.startswith(DEPLOYED)}

    def tasks(self) -> list[dict[str, Any]]:
        """Every task, as DescribeTasks tells it, the oldest first."""
        mine = [task.said for task in self.fargate.tasks.values() if task.account == self.number]
        return sorted(mine, key=lambda said: said["createdAt"])

    def refused(self) -> list[tuple[str, str]]:
        """What containers wanted that their role may not: actions and resources."""
        assert self.fargate.life.iam_proxy
        return [
            (wish.action, wish.resource)
            for account, wish in self.fargate.life.iam_proxy.refused
            if account == self.number
        ]

    def log(self, stack: str, task: str | None = None) -> list[str]:
        """The lines of a stack's tasks, or of one."""
        logs = self.boto("logs")
        group, stream = resource_names.log_group(stack), f"{resource_names.log_prefix()}/{CONTAINER}/{task}"
        asked = {"logGroupName": group, **({"logStreamNames": [stream]} if task else {})}
        pages = logs.get_paginator("filter_log_events").paginate(**asked)
        return [event["message"] for page in pages for event in page["events"]]

    def mails(self, stack: str) -> list[tuple[str, str]]:
        """Subject and text of each message that SNS was given for the mail addresses, the oldest first."""
        sfn, machine = self.boto("stepfunctions"), self.outputs(stack)["AlertMachine"]
        sent = sfn.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED")["executions"]
        mails = []
        for one in sorted(sent, key=lambda one: one["startDate"]):
            events = sfn.get_execution_history(executionArn=one["executionArn"])["events"]
            tasks = [event["taskScheduledEventDetails"] for event in events if "taskScheduledEventDetails" in event]
            asked = [json.loads(task["parameters"]) for task in tasks if task["resourceType"] == "sns"]
            mails += [(mail["Subject"], mail["Message"]) for mail in asked]
        return mails

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """What lies below a prefix, by what its key has after that."""
        s3 = self.boto("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return {key[len(prefix) :]: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    # what is done to it

    def fire(self, schedule: str, group: str | None = None, at: datetime | None = None) -> Fired:
        """A schedule's time has come: its target is started as its role would, and has ended."""
        return self.ended(self.start_schedule(schedule, group, at))

    def start_schedule(self, schedule: str, group: str | None = None, at: datetime | None = None) -> str:
        """The same, not waited for; the execution's ARN."""
        scheduler = self.boto("scheduler")
        groups = [group] if group else [each["Name"] for each in scheduler.list_schedule_groups()["ScheduleGroups"]]
        found = [each for name in groups for each in scheduler.list_schedules(GroupName=name)["Schedules"]]
        (one,) = [each for each in found if each["Name"] == schedule]
        said = scheduler.get_schedule(Name=schedule, GroupName=one["GroupName"])
        assert said["State"] == "ENABLED", said
        target = said["Target"]
        self.check_may(target["RoleArn"], "scheduler", "states:StartExecution", target["Arn"])
        filled = _filled(target.get("Input", "{}"), said["Arn"], at or datetime.now(timezone.utc))
        started = self.boto("stepfunctions").start_execution(stateMachineArn=target["Arn"], input=filled)
        return str(started["executionArn"])

    def ended(self, execution: str) -> Fired:
        """An execution to its end."""
        machines = self.boto("stepfunctions")
        until(lambda: machines.describe_execution(executionArn=execution)["status"] in ENDED, execution, PATIENCE)
        said = machines.describe_execution(executionArn=execution)
        output = json.loads(said["output"]) if "output" in said else None
        given = json.loads(said.get("input", "null"))
        return Fired(execution, said["status"], given, output, said.get("error", ""), _json(said.get("cause", "")))

    def check_may(self, role: str, service: str, action: str, resource: str) -> None:
        """A role is a service's to assume, and its policies let it do one thing."""
        iam = self.boto("iam")
        assert trusts(iam, role, service), f"{service} may not assume {role}"
        assert may(statements(iam, role), action, resource), f"{role} may not {action} {resource}"

    def settled(self, stack: str) -> str:
        """The status of a stack that nothing is done to any more."""
        cloudformation = self.boto("cloudformation")

        def status() -> str:
            return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

        until(lambda: not status().endswith(OVER), stack, PATIENCE)
        return status()

    def running(self) -> dict[str, Any]:
        """The task that runs, once one does."""
        until(lambda: [each for each in self.tasks() if each["lastStatus"] == "RUNNING"], "a task that runs", PATIENCE)
        return next(each for each in self.tasks() if each["lastStatus"] == "RUNNING")

    def wait_for(self, task: str, status: str = "STOPPED") -> dict[str, Any]:
        """A task once it is so far."""
        until(lambda: self.fargate.tasks[task].said["lastStatus"] == status, f"{task} {status}", PATIENCE)
        return self.fargate.tasks[task].said


@pytest.fixture(scope="session")
def ecr(
    docker: Engine,  # noqa: ARG001  # it is this one that finds it
    fargate: Fargate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Registry]:
    """A registry behind ECR's name, for as many accounts as tests may want."""
    state = find_names()
    if isinstance(state, str):
        pytest.skip(state)
    session = tmp_path_factory.getbasetemp()
    storage = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "layers"  # of all workers
    accounts = [new_account() for _ in range(POOL)]
    with serve_ecr(fargate.moto_proxy, tmp_path_factory.mktemp("ecr"), storage, state, accounts) as made:
        yield made


@pytest.fixture
def account(localstack: str, fargate: Fargate, ecr: Registry, docker: Engine, tmp_path: Path) -> Iterator[Account]:
    """An account nobody else uses; the images that were made for it are gone afterwards."""
    aws_account = AwsAccount(localstack, ecr.next())
    yield Account(aws_account, fargate, ecr, docker, tmp_path / "docker-config")
    aws_account.close()
    fargate.end(aws_account.account)


def _filled(text: str, schedule: str, at: datetime) -> str:
    """The context attributes, as EventBridge Scheduler puts them in."""
    values = {"scheduled-time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "schedule-arn": schedule, "attempt-number": "1"}
    for name, value in {**values, "execution-id": "d32c5kddcf5bb8c3"}.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
