"""A project that is deployed to an account of LocalStack, with a fault proxy between `invoke` and AWS."""

from __future__ import annotations

import re
import shutil
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from doubles import protocols
from doubles.account import Account
from doubles.checkout import Team, Told, make_team
from doubles.fault_proxy import Proxy
from doubles.localstack import Tenant
from handoff_kit import resource_names

if TYPE_CHECKING:
    from collections.abc import Iterator
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
class Estate:
    """`words` are what the next calls of `invoke` add to the environment."""

    team: Team
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
        self.team.project(name or self.name, text, {"files/turn": f"{self.turn}\n"})

    def rewrite(self, text: str) -> None:
        """The project file as it is given."""
        self.team.project(self.name, textwrap.dedent(text))

    @contextmanager
    def patched(self, code: str) -> Iterator[None]:
        """Other constants within the block, by a few lines of code: less patience, smaller parts."""
        file = self.team.root / "tasks.py"
        kept = file.read_text()
        file.write_text(f"{kept}\n{code}")
        yield
        file.write_text(kept)

    def invoke(self, task: str, *words: str, project: str | None = None, **env: str) -> Told:
        """A task, with `--yes` where it may ask."""
        named = ("--project", self.name) if project is None else ("--project", project) if project else ()
        yes = ("--yes",) if task in ("deploy", "schedule", "unschedule", "destroy", "stop") else ()
        told = self.team.invoke(task, *named, *yes, *words, env={**self.environ, **env})
        assert "Traceback" not in told.stderr, told.stderr
        return Told(told.exit, self.stable(told.stdout), self.stable(told.stderr))

    def must(self, task: str, *words: str, **env: str) -> Told:
        """One that must go well."""
        told = self.invoke(task, *words, **env)
        assert told.exit == 0, f"invoke {task}\n{told.stdout}\n{told.stderr}"
        return told

    def stable(self, text: str) -> str:
        """Without what differs from run to run."""
        text = text.replace(self.account.number, "ACCOUNT").replace(self.proxy.url, "URL")
        text = re.sub(r"\b([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", "TASK", text)
        text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", text)
        text = re.sub(r"^\d\d:\d\d:\d\d .*\n", "", text, flags=re.MULTILINE)  # what CloudFormation is at
        text = re.sub(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b", "RUN", text)
        return re.sub(r"\b\d+(\.\d+)? s\b", "N s", text)

    def refused_in_turn(self, task: str, *words: str, wanted: int = 0, **given: Any) -> dict[str, Told]:
        """Each call that a task makes refused, one after the other, in the order in which it comes to them; then none."""
        found: dict[str, Told] = {}
        while True:
            refused: list[str] = []

            def wants(call: Call, refused: list[str] = refused) -> bool:
                if not refused and self.key(call) not in found:
                    refused.append(self.key(call))
                return refused == [self.key(call)]

            fault = self.proxy.fault("answer", wants=wants, refusal=protocols.denied)
            told = self.invoke(task, *words, **given)
            self.proxy.faults.remove(fault)
            if not refused:
                assert told.exit == wanted, told
                return found
            found[refused[0]] = told

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


@contextmanager
def estate_in(directory: Path, cache: Path, account: Account, name: str = "shop") -> Iterator[Estate]:
    """One with a project that is deployed nowhere yet."""
    with Proxy.to(account.tenant.endpoint, account.number) as proxy:
        made = Estate(make_team(directory / "team", cache), account, proxy, name)
        made.write()
        yield made


@pytest.fixture
def estate(account: Account, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """One of a test of its own."""
    with estate_in(tmp_path, tmp_path_factory.getbasetemp() / "compiled", account) as made:
        yield made


@pytest.fixture(scope="module")
def bare(
    localstack: str, fargate: Fargate, ecr: Registry, docker: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Estate]:
    """One that the tests of a module share, with nothing deployed at first."""
    tenant = Tenant(localstack, ecr.next())
    directory = tmp_path_factory.mktemp("deployed")
    account = Account(tenant, fargate, ecr, docker, directory / "docker-config")
    with estate_in(directory, tmp_path_factory.getbasetemp() / "compiled", account) as made:
        yield made
    tenant.close()
    fargate.end(tenant.account)


@pytest.fixture(scope="module")
def ground(bare: Estate) -> Estate:
    """The same, with its project deployed."""
    bare.must("deploy")
    return bare


@pytest.fixture
def sound(ground: Estate) -> Iterator[Estate]:
    """The same for one test, which leaves no fault and no word behind."""
    yield ground
    ground.proxy.faults.clear()
    ground.words.clear()
    for directory in (ground.team.root / "projects").iterdir():
        if directory.name != ground.name:
            shutil.rmtree(directory)
