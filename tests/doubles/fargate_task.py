"""A task of the double of Fargate: what ECS tells of it, and what shall go wrong with the next ones."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from doubles.moto_proxy import Refused

NO_MEMORY = 4  # moto wants memory of every container, Fargate does not: this little stands for none
CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


class NeverStarted(Exception):  # noqa: N818  # an end of a task
    """Why a task ended before it ran."""


@dataclass
class Task:
    """A task: what DescribeTasks says of it, what it is made from, and the container once there is one."""

    said: dict[str, Any]
    definition: dict[str, Any]
    account: str
    region: str
    hangs: bool = False
    fails: str = ""
    container: str = ""
    stopping: tuple[str, str] | None = None  # the code and the reason of a stop that was asked for
    asked_to_stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def arn(self) -> str:
        return str(self.said["taskArn"])

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def spec(self) -> dict[str, Any]:
        """The definition of its one container."""
        return dict(self.definition["containerDefinitions"][0])

    @property
    def override(self) -> dict[str, Any]:
        """What is other for this task."""
        found = self.said.get("overrides", {}).get("containerOverrides", ())
        return next((dict(each) for each in found if each["name"] == self.spec["name"]), {})

    @property
    def environment(self) -> dict[str, str]:
        """Of the definition, then of the task."""
        given = (*self.spec.get("environment", ()), *self.override.get("environment", ()))
        return {each["name"]: each["value"] for each in given}

    @property
    def memory(self) -> int:
        """MiB."""
        own = self.override.get("memory") or self.spec.get("memory")
        whole = int(self.said["overrides"].get("memory") or self.definition["memory"])
        return min(whole, own) if own and own != NO_MEMORY else whole

    def role(self, kind: str) -> str:
        """The ARN of its execution or task role, or nothing."""
        return str(self.said["overrides"].get(kind) or self.definition.get(kind) or "")

    def now(self, status: str, **more: Any) -> None:
        """It is this far."""
        self.said = {**self.said, "lastStatus": status, "version": self.said.get("version", 0) + 1, **more}

    def container_now(self, **more: Any) -> None:
        """Its container is this far."""
        self.said = {**self.said, "containers": [{**self.said["containers"][0], **more}]}


@dataclass
class Faults:
    """What shall go wrong next, in one account; each once."""

    starts: deque[str] = field(default_factory=deque)
    answers: deque[Refused | str] = field(default_factory=deque)
    hangs: int = 0

    def fail_start(self, reason: str, times: int = 1) -> None:
        """Tasks end as TaskFailedToStart, for this reason."""
        self.starts.extend([reason] * times)

    def lack_capacity(self, times: int = 1) -> None:
        """RunTask answers with a failure and no task."""
        self.answers.extend([CAPACITY] * times)

    def refuse(self, code: str, message: str, times: int = 1) -> None:
        """RunTask is refused."""
        self.answers.extend([Refused(code, message)] * times)

    def hang(self, times: int = 1) -> None:
        """Tasks stay PENDING until they are stopped."""
        self.hangs += times

    def next_start(self) -> tuple[bool, str]:
        """Whether the next task hangs, else why it does not start."""
        if self.hangs:
            self.hangs -= 1
            return True, ""
        return False, self.starts.popleft() if self.starts else ""
