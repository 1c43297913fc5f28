"""`invoke`, or the runtime, as a process that need not import anything first: forked from one that has.

To import boto3, pydantic, rich and the modules of handoff takes longer than what most tasks do. As a script this is
the server: a connection takes a line of JSON, and answers with an exit code.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBRARIES = (
    "boto3", "botocore.httpsession", "cronsim", "email.mime.text", "http.server", "invoke.main", "jinja2.ext", "packaging.requirements",
    "pydantic", "pydantic.root_model", "rich.console", "rich.live", "rich.progress", "rich.table", "ruamel.yaml", "zoneinfo",
)  # fmt: skip
ROOT = Path(__file__).parents[2]
PACKAGES = ("handoff_runtime", "handoff_kit")
INVOKE, RUNTIME = "invoke", str(ROOT / "handoff_runtime/start.py")
NOT_IMPORTED = ("handoff_runtime.__main__", "handoff_runtime.start", "handoff_kit.starters")  # programs
SERVICES = (
    "cloudformation",
    "ec2",
    "ecr",
    "ecs",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "ssm",
    "stepfunctions",
    "sts",
)


@dataclass(frozen=True)
class ForkServer:
    """One that runs until its standard input is closed."""

    address: Path
    process: subprocess.Popen[bytes]

    @classmethod
    @cache
    def running(cls) -> ForkServer:
        """The one of this process, started when it is first asked for."""
        address = Path(tempfile.mkdtemp(prefix="forkserver-"), "socket")
        process = subprocess.Popen(
            [sys.executable, __file__, str(address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        made = cls(address, process)
        atexit.register(made.end)
        assert process.stdout
        assert process.stdout.readline() == b"listening\n"
        return made

    def end(self) -> None:
        """Leave nothing of it."""
        self.process.communicate()
        shutil.rmtree(self.address.parent)

    def run(
        self, program: str, words: Sequence[str], directory: Path, env: Mapping[str, str], seconds: float
    ) -> tuple[int, bytes, bytes]:
        """The exit code, stdout and stderr of a program, INVOKE or RUNTIME, with these words."""
        with tempfile.TemporaryDirectory() as said, socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(seconds)
            asked.connect(str(self.address))
            request = {"program": program, "words": words, "directory": str(directory), "env": dict(env), "said": said}
            asked.sendall(json.dumps(request).encode() + b"\n")
            code = int(asked.recv(16))
            return code, Path(said, "stdout").read_bytes(), Path(said, "stderr").read_bytes()


def serve(address: str) -> Any:
    """Answer connections; what comes back, in a process of its own each time, is what that process shall do."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        os.write(1, b"listening\n")
        while listening.fileno() in select.select([listening.fileno(), 0], [], [])[0]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                return answer(connection)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    return sys.exit()


def answer(connection: socket.socket) -> Any:
    """Fork the task, and say how it ended."""
    with connection:
        request = json.loads(connection.makefile("r").readline())
        if (pid := os.fork()) == 0:
            return request
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(OSError):  # whoever asked has given up
            connection.sendall(str(code).encode())
        os._exit(0)


def become(request: Any) -> None:
    """What `python -m invoke`, or `python start.py`, would be with these words, in this directory, with this environment."""
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["env"])
    files = [os.open(os.devnull, os.O_RDONLY)]
    files += [
        os.open(f"{request['said']}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name in ("stdout", "stderr")
    ]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    time.tzset()
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    paths = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    if request["program"] == INVOKE:
        sys.path[:1] = ["", *paths]
        sys.argv[1:] = request["words"]
        runpy.run_module("invoke", run_name="__main__", alter_sys=True)
    else:
        sys.path[:1] = paths
        sys.argv[:] = [RUNTIME, *request["words"]]
        runpy.run_path(RUNTIME, run_name="__main__")


def remember_models() -> None:
    """Have botocore read the models of its services once, not for each session."""
    from botocore import loaders  # noqa: PLC0415  # libraries are loaded by who needs them

    load_file = cache(loaders.JSONFileLoader().load_file)
    loaders.JSONFileLoader.load_file = lambda _loader, path: load_file(path)


def preload() -> None:
    """Libraries, what botocore knows of services, and the modules of handoff."""
    sys.path.insert(0, str(ROOT))
    for name in LIBRARIES:
        __import__(name)
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.startswith(NOT_IMPORTED):
                __import__(module.name)
    del sys.path[0]
    import boto3  # noqa: PLC0415  # by a test this module is imported for its class alone

    remember_models()
    for service in SERVICES:
        boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    preload()
    become(serve(sys.argv[1]))
