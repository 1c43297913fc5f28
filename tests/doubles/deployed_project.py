"""A project that is deployed to an account of LocalStack, with a fault proxy between `invoke` and AWS."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from doubles import protocols
from doubles.account import Account
from doubles.checkout import Checkout, InvokeResult, make_checkout
from doubles.fault_proxy import Proxy
from doubles.localstack import AwsAccount
from doubles.runtime_project import until
from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.deploy.desired import desired_project
from handoff_kit.deploy.schedule_template import deployed_schedules
from handoff_kit.paths import ProjectPaths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from doubles.containers import Engine
    from doubles.ecr import Registry
    from doubles.fargate import Fargate
    from doubles.protocols import Call

PROJECT = """\
commands:
  - shell: "{script}"
deploy: {{cpu: 256, memory: {memory}, stop_timeout: 2, tags: {{turn: "{turn}"}}}}
schedules: [{{name: daily, cron: "0 6 * * *"}}]
"""


@dataclass
class DeployedProject:
    """`words` are what the next calls of `invoke` add to the environment."""

    checkout: Checkout
    account: Account
    proxy: Proxy
    name: str = "shop"
    words: dict[str, str] = field(default_factory=dict)
    turn: int = 0

    @property
    def stack(self) -> str:
        """Of its task."""
        return resource_names.stack_name(self.name, "dev")

    @property
    def bucket(self) -> str:
        """The shared one."""
        return resource_names.bucket("dev", self.account.number, "eu-central-1")

    @property
    def environ(self) -> dict[str, str]:
        """For `invoke`: AWS by way of the proxy."""
        return {**self.account.environ, "AWS_ENDPOINT_URL": self.proxy.url, **self.words}

    def write(self, script: str = "echo hello", memory: int = 512, name: str | None = None) -> None:
        """The project, whose image is the same whatever it says here; each time other than before."""
        self.turn += 1
        text = PROJECT.format(script=script, memory=memory, turn=self.turn)
        self.checkout.project(name or self.name, text, {"files/turn": f"{self.turn}\n"})

    def rewrite(self, text: str) -> None:
        """The project file as it is given."""
        self.checkout.project(self.name, textwrap.dedent(text))

    @contextmanager
    def patched(self, code: str) -> Iterator[None]:
        """Other constants within the block, by a few lines of code: less patience, smaller parts."""
        file = self.checkout.root / "tasks.py"
        kept = file.read_text()
        file.write_text(f"{kept}\n{code}")
        yield
        file.write_text(kept)

    def invoke(self, task: str, *words: str, project: str | None = None, **env: str) -> InvokeResult:
        """A task, with `--yes` where it may ask."""
        named = ("--project", self.name) if project is None else ("--project", project) if project else ()
        yes = ("--yes",) if task in ("deploy", "schedule", "unschedule", "destroy", "stop") else ()
        result = self.checkout.invoke(task, *named, *yes, *words, env={**self.environ, **env})
        assert "Traceback" not in result.stderr, result.stderr
        return InvokeResult(result.exit, self.stable(result.stdout), self.stable(result.stderr))

    def must(self, task: str, *words: str, **env: str) -> InvokeResult:
        """One that must go well."""
        result = self.invoke(task, *words, **env)
        assert result.exit == 0, f"invoke {task}\n{result.stdout}\n{result.stderr}"
        return result

    def stable(self, text: str) -> str:
        """Without what differs from run to run."""
        text = text.replace(self.account.number, "ACCOUNT").replace(self.proxy.url, "URL")
        text = re.sub(r"\b([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", "TASK", text)
        text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", text)
        text = re.sub(r"^\d\d:\d\d:\d\d .*\n", "", text, flags=re.MULTILINE)  # what CloudFormation is at
        text = re.sub(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b", "RUN", text)
        return re.sub(r"\b\d+(\.\d+)? s\b", "N s", text)

    def refused_in_turn(
        self, task: str, *words: str, wanted: int = 0, ready: Callable[[], None] = lambda: None, **given: Any
    ) -> dict[str, InvokeResult]:
        """Each call that a task makes refused, one after the other, in the order in which it comes to them; then none.

        `ready` is called before each.
        """
        found: dict[str, InvokeResult] = {}
        while True:
            refused: list[str] = []

            def wants(call: Call, refused: list[str] = refused) -> bool:
                if not refused and self.key(call) not in found:
                    refused.append(self.key(call))
                return refused == [self.key(call)]

            ready()
            fault = self.proxy.fault("answer", wants=wants, refusal=protocols.denied)
            result = self.invoke(task, *words, **given)
            self.proxy.faults.remove(fault)
            if not refused:
                assert result.exit == wanted, result
                return found
            found[refused[0]] = result

    def finish_tasks(self) -> None:
        """Wait until no task runs: one whose watcher was refused something may go on."""
        until(lambda: all(task["lastStatus"] == "STOPPED" for task in self.account.tasks()), "the end of all tasks")

    def key(self, call: Call) -> str:
        """A call, and what it is about."""
        return self.stable(f"{call.name} {call.about}".rstrip())

    @contextmanager
    def recorded(self) -> Iterator[list[Call]]:
        """What is called meanwhile."""
        found: list[Call] = []
        start = len(self.proxy.passed)
        yield found
        found += self.proxy.passed[start:]

    def deployed_schedules(self) -> dict[str, dict[str, str]]:
        """The data of each schedule, by the template of the deployed stack; LocalStack updates no schedule itself."""
        name = resource_names.schedule_stack(self.stack)
        body = self.account.boto("cloudformation").get_template(StackName=name)["TemplateBody"]
        text = body if isinstance(body, str) else json.dumps(body)
        schedules = deployed_schedules(StackDescription(name, "", template=text)) or ()
        return {schedule.name: dict(schedule.data) for schedule in schedules}

    def settle(self) -> None:
        """Wait until nothing is done to any stack."""
        for stack in self.account.stacks():
            self.account.settled(stack)

    def leftovers(self) -> dict[str, list[str]]:
        """Change sets that nobody executes, by their stack."""
        cloudformation = self.account.boto("cloudformation")
        found: dict[str, list[str]] = {}
        for stack in self.account.stacks():
            sets = cloudformation.list_change_sets(StackName=stack)["Summaries"]
            if pending := [each["Status"] for each in sets if each.get("ExecutionStatus") == "AVAILABLE"]:
                found[stack] = pending
        return found


def push_image(checkout: Checkout, name: str, aws_account: AwsAccount) -> None:
    """The registry of a project and its image, as a deployment leaves them: nothing is left to be built."""
    desired = desired_project(ProjectPaths(name, checkout.root), "dev", {})
    cloudformation, stack = aws_account.boto("cloudformation"), resource_names.registry_stack(desired.stack_name)
    tags = [{"Key": key, "Value": value} for key, value in desired.tags.items()]
    cloudformation.create_stack(StackName=stack, TemplateBody=desired.registry_template, Tags=tags)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    put_image(checkout, name, aws_account)


def put_image(checkout: Checkout, name: str, aws_account: AwsAccount) -> None:
    """The image of a project, in its repository."""
    desired = desired_project(ProjectPaths(name, checkout.root), "dev", {})
    kind = "application/vnd.oci.image.manifest.v1+json"
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{64 * '0'}", "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
    aws_account.boto("ecr").put_image(
        repositoryName=resource_names.repository(desired.stack_name), imageManifest=manifest, imageTag=desired.image_tag
    )


@contextmanager
def make_deployed_project(
    directory: Path, cache: Path, account: Account, name: str = "shop"
) -> Iterator[DeployedProject]:
    """One with a project that is deployed nowhere yet."""
    with Proxy.to(account.aws_account.endpoint, account.number) as proxy:
        made = DeployedProject(make_checkout(directory / "team", cache), account, proxy, name)
        made.write()
        yield made


@pytest.fixture
def deployed_project(
    account: Account, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeployedProject]:
    """One of a test of its own."""
    with make_deployed_project(tmp_path, tmp_path_factory.getbasetemp() / "compiled", account) as made:
        yield made


@pytest.fixture(scope="module")
def empty_account(
    localstack: str, fargate: Fargate, ecr: Registry, docker: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeployedProject]:
    """One that the tests of a module share, with nothing deployed at first."""
    aws_account = AwsAccount(localstack, ecr.next())
    directory = tmp_path_factory.mktemp("deployed")
    account = Account(aws_account, fargate, ecr, docker, directory / "docker-config")
    with make_deployed_project(directory, tmp_path_factory.getbasetemp() / "compiled", account) as made:
        yield made
    aws_account.close()
    fargate.end(aws_account.account)


@pytest.fixture(scope="module")
def deployed_account(empty_account: DeployedProject) -> DeployedProject:
    """The same, with its project deployed."""
    empty_account.must("deploy")
    return empty_account


@pytest.fixture
def clean_account(deployed_account: DeployedProject) -> Iterator[DeployedProject]:
    """The same for one test, which leaves no fault and no word behind."""
    yield deployed_account
    deployed_account.proxy.faults.clear()
    deployed_account.words.clear()
    for directory in (deployed_account.checkout.root / "projects").iterdir():
        if directory.name != deployed_account.name:
            shutil.rmtree(directory)
