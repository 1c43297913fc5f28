"""Runs of the runtime in quick succession, forked from a process that has boto3 loaded.

As a script it is that process: a line of JSON in, a process id out; an empty line in, an exit code out. A process that
has ended is a zombie until then, so that its id is no other's.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class ProcessTree:
    """One such process."""

    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[ProcessTree]:
        """Start it; it ends with the block."""
        command = [sys.executable, __file__]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield cls(process)
            assert process.stdin
            process.stdin.close()

    def start(self, directory: Path, env: Mapping[str, str], *argv: str, **constants: float) -> int:
        """Start the runtime in a directory, its output into `said` there; its process id."""
        asked = {"directory": str(directory), "env": dict(env), "argv": argv, "constants": constants}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def wait(self) -> int:
        """The exit code of what was started, negative for a signal."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())


def child(asked: Mapping[str, Any]) -> None:
    """Be the runtime."""
    from handoff_runtime.aws import lease, state  # noqa: PLC0415  # loaded by the process that forked this one

    os.chdir(asked["directory"])
    os.environ.clear()
    os.environ.update(asked["env"])
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, fd in enumerate((os.open(os.devnull, os.O_RDONLY), said, said)):
        os.dup2(fd, number)
    constants = asked["constants"]
    defaults = lease.acquire.__kwdefaults__ or {}
    defaults.update({name: constants[name] for name in ("lease", "heartbeat") if name in constants})
    state.INTERVAL, state.PUT_INTERVAL = (
        constants.get("look", state.INTERVAL),
        constants.get("apart", state.PUT_INTERVAL),
    )
    sys.argv[1:] = asked["argv"]
    runpy.run_module("handoff_runtime", run_name="__main__", alter_sys=True)


def main() -> None:
    """Serve until nobody asks any more."""
    import boto3  # noqa: PLC0415  # by a test this module is imported for its class alone

    import handoff_runtime.aws.store  # noqa: PLC0415
    import handoff_runtime.run  # noqa: F401, PLC0415

    boto3.session.Session()
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            try:
                child(json.loads(line))
            finally:
                os._exit(99)
        print(pid, flush=True)  # noqa: T201  # it is the answer
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
