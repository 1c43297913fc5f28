"""A stack's bucket and parameters in moto, and containers of it: each a new directory with the runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from doubles.forkserver import ForkServer
from doubles.runtime_project import PYTHON
from handoff_runtime import params, s3_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from doubles.moto_bucket import MotoBucket
    from doubles.runtime_project import Finished, Project, Running, StageSpec

LARGE_ARTIFACT = "head -c 20000000 /dev/zero > .artifacts/large; echo 1"
"""A stage whose artifact is uploaded in parts."""


@dataclass(frozen=True)
class Stack:
    """A project's stack: what is pushed to it, containers that run it, and what lies there afterwards."""

    moto_bucket: MotoBucket
    projects: Callable[[str], Project]
    made: list[Project]
    s3: Any = field(repr=False)

    def push(self, *stages: StageSpec, files: Mapping[str, str] | None = None, **pipeline: Any) -> Stack:
        """Store a params document, as `params.push` would."""
        project = self.projects(f"params-{len(self.made)}").params(*stages, files=files, **pipeline)
        self.made.append(project)
        text = params.encode_params(json.loads(project.params_file.read_text()))
        ssm = self.moto_bucket.boto("ssm")
        ssm.put_parameter(
            Name=s3_keys.parameter(self.moto_bucket.stack), Value=text, Type="SecureString", Overwrite=True
        )
        return self

    def container(self) -> Project:
        """An empty workspace."""
        project = self.projects(f"container-{len(self.made)}")
        self.made.append(project)
        return project

    def start(
        self, *argv: str, project: Project | None = None, env: Mapping[str, str] | None = None, **start: Any
    ) -> Running:
        """Start the runtime, forked from a process that has boto3 loaded, in a container of its own if none is given."""
        where = project or self.container()
        return where.start(
            *argv,
            **{"source": (), "launch": ForkServer.running().start, "env": {**self.environ, **(env or {})}, **start},
        )

    def run(self, *argv: str, **start: Any) -> Finished:
        """The same to its end."""
        return self.start(*argv, **start).finish()

    @staticmethod
    def hurried(
        *, heartbeat: float = 20, lease: float = 90, look: float = 2, apart: float = 30, attempts: int = 8
    ) -> tuple[str, ...]:
        """The runtime with other constants (nobody waits ninety seconds in a test)."""
        code = (
            "import runpy\n"
            "from handoff_runtime.aws import lease, retry, state\n"
            f"retry.ATTEMPTS = {attempts}\n"
            f"lease.acquire.__kwdefaults__.update(heartbeat={heartbeat}, lease={lease})\n"
            f"state.INTERVAL, state.PUT_INTERVAL = {look}, {apart}\n"
            "runpy.run_module('handoff_runtime', run_name='__main__', alter_sys=True)"
        )
        return (PYTHON, "-c", code)

    @property
    def environ(self) -> dict[str, str]:
        """For a process of this stack; keys that are found nowhere else, since they are starred."""
        keys_of_nobody = {"AWS_ACCESS_KEY_ID": "a-name-of-nobody", "AWS_SECRET_ACCESS_KEY": "a-key-of-nobody"}
        return {**self.moto_bucket.environ, **keys_of_nobody}

    def expire_lease(self) -> None:
        """Let the lease of a run that was killed be over (nobody waits ninety seconds in a test)."""
        if self.lock:
            self.put(".lock", json.dumps({**self.lock, "lease_seconds": -60}).encode())

    # what lies there

    def key(self, below: str) -> str:
        """A key of this stack."""
        return f"{self.moto_bucket.stack}/{below}"

    def get(self, below: str) -> bytes | None:
        """What is stored, or None."""
        try:
            return bytes(self.s3.get_object(Bucket=self.moto_bucket.bucket, Key=self.key(below))["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def put(self, below: str, content: bytes) -> None:
        """What somebody else stores."""
        self.moto_bucket.put(self.key(below), content)

    @property
    def state(self) -> bytes | None:
        """The state."""
        return self.get(".artifacts/state")

    @property
    def lock(self) -> Any:
        """What the lock says."""
        return json.loads(self.get(".lock") or b"null")

    def record(self, run_id: str) -> Any:
        """The record of a run."""
        return json.loads(self.get(f"runs/{run_id}/run.json") or b"null")

    def history(self) -> list[Any]:
        """The last line of each run, in the order of their first ones."""
        lines = [line for day in self.below("history/") for line in (self.get(f"history/{day}") or b"").splitlines()]
        return list({line["run_id"]: line for line in map(json.loads, lines)}.values())

    def history_fields(self, *names: str) -> list[tuple[Any, ...]]:
        """The named fields of the history, a tuple a run."""
        return [tuple(line[name] for name in names) for line in self.history()]

    def below(self, start: str = "") -> list[str]:
        """The keys of this stack, without what all begin with."""
        whole = self.key(start)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.moto_bucket.bucket, Prefix=whole)
        return [one["Key"][len(whole) :] for page in pages for one in page.get("Contents", ())]


@pytest.fixture
def stack(moto_bucket: MotoBucket, projects: Callable[[str], Project]) -> Stack:
    """A stack nobody else uses."""
    return Stack(moto_bucket, projects, [], moto_bucket.boto("s3"))
