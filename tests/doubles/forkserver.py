"""Python as a process of its own that need not load libraries first: forked from one that has.

To import boto3, pydantic, rich and the modules of handoff, and to read botocore's models, takes longer than what most
tasks and runs do. As a script this is the server: a connection takes a line of JSON with three descriptors, and answers
with a process id and, at its end, an exit code. With arguments, which are Python's, it is what a shell starts instead.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import json
import os
import pkgutil
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBRARIES = (
    "boto3", "botocore.httpsession", "cronsim", "email.mime.text", "http.server", "invoke.main", "jinja2.ext", "packaging.requirements",
    "pydantic", "pydantic.root_model", "rich.console", "rich.live", "rich.progress", "rich.table", "ruamel.yaml", "zoneinfo",
)  # fmt: skip
CREATED = (subprocess.PIPE, subprocess.DEVNULL)
ROOT = Path(__file__).parents[2]
PACKAGES = ("handoff_runtime", "handoff_kit")
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


@dataclass(eq=False)
class ForkedProcess:
    """What was started, with the methods of `subprocess.Popen`; it is a zombie until its end is known here."""

    pid: int
    connection: socket.socket
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None
    returncode: int | None = field(default=None, init=False)
    hearing: threading.Lock = field(default_factory=threading.Lock, init=False)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with self.hearing:  # others may send it signals while one waits
            if self.returncode is None and select.select([self.connection], [], [], 0)[0]:
                self.returncode = int(self.connection.recv(16))
                self.connection.close()
            return self.returncode

    def wait(self, timeout: float = 900.0) -> int:
        """The exit code, once there is one."""
        end, pause = time.monotonic() + timeout, 0.001
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"waited {timeout} s for the end of process {self.pid}")
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return code

    def communicate(self, timeout: float = 900.0) -> tuple[bytes | None, bytes | None]:
        """What it writes until both ends are closed."""
        if self.stdin:
            self.stdin.close()
        with ThreadPoolExecutor(2) as pool:
            stdout, stderr = pool.map(read_all, (self.stdout, self.stderr), timeout=timeout)
        self.wait(timeout)
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> ForkedProcess:  # noqa: PYI034  # Python 3.10 has no Self
        return self

    def __exit__(self, *_error: object) -> None:
        """Close its streams, and wait."""
        for stream in filter(None, (self.stdin, self.stdout, self.stderr)):
            stream.close()
        self.wait()


def read_all(stream: IO[bytes] | None) -> bytes | None:
    """What is written until the other end is closed."""
    if stream is None:
        return None
    with stream:
        return stream.read()


@dataclass(frozen=True)
class ForkServer:
    """One that runs until its standard input is closed."""

    address: Path
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    @cache
    def running(cls) -> ForkServer:
        """The one of this process, started when it is first asked for."""
        address = Path(tempfile.mkdtemp(prefix="forkserver-"), "socket")
        process = subprocess.Popen(
            [sys.executable, __file__, str(address)],
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        made = cls(address, process)
        atexit.register(made.end)
        assert process.stdout
        assert process.stdout.readline() == b"listening\n"
        return made

    def end(self) -> None:
        """Leave nothing of it."""
        assert self.process
        self.process.communicate()
        shutil.rmtree(self.address.parent)

    @property
    def python(self) -> str:
        """What a shell is to start in the place of Python."""
        return shlex.join([sys.executable, "-I", "-S", __file__, str(self.address)])

    def start(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = None,
        stderr: Any = None,
        terminal: bool = False,
    ) -> ForkedProcess:
        """Start `python FILE`, `python -c CODE` or `python -m MODULE`, with arguments, as `subprocess.Popen` does.

        With `terminal`, standard input is the terminal of a session of its own.
        """
        assert command[0] == sys.executable
        ours: list[IO[bytes] | None] = [None] * 3
        theirs, opened = list[int](), list[int]()
        for number, stream in enumerate((stdin, stdout, stderr)):
            if stream == subprocess.PIPE:
                read, write = os.pipe()
                ours[number] = os.fdopen(read, "rb") if number else os.fdopen(write, "wb")
                opened.append(write if number else read)
            elif stream == subprocess.DEVNULL:
                opened.append(os.open(os.devnull, os.O_RDWR))
            given = number if stream is None else stream
            theirs.append(opened[-1] if stream in CREATED else given if isinstance(given, int) else given.fileno())
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.address))
        request = {"argv": command[1:], "directory": str(cwd), "env": dict(env), "terminal": terminal}
        socket.send_fds(connection, [b"\0"], theirs)
        connection.sendall(json.dumps(request).encode() + b"\n")
        for fd in opened:
            os.close(fd)
        return ForkedProcess(int(connection.recv(16)), connection, *ours)


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
    """Fork what is to be started, and say how it ended; it stays a zombie until its starter has heard that."""
    with connection:
        _, fds, _, _ = socket.recv_fds(connection, 1, 3)
        request = json.loads(connection.makefile("r").readline())
        if (pid := os.fork()) == 0:
            return {**request, "fds": fds}
        for fd in fds:
            os.close(fd)
        with suppress(OSError):  # its starter has given up
            connection.sendall(b"%16d" % pid)
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            assert ended
            code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            connection.sendall(b"%16d" % code)
            connection.recv(1)
        os._exit(0)


def become_python(request: Any) -> None:
    """What `python` would be with these words, in this directory, with this environment."""
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, fd in enumerate(request["fds"]):
        os.dup2(fd, number)
        os.close(fd)
    if request["terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    time.tzset()
    sys.pycache_prefix = os.environ.get("PYTHONPYCACHEPREFIX")
    how, *words = request["argv"]
    first = "" if how in ("-c", "-m") else os.path.dirname(how)  # noqa: PTH120  # as Python writes it
    sys.path[:1] = [first, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    try:
        if how == "-m":
            sys.argv[1:] = words[1:]
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        elif how == "-c":
            sys.argv[:] = ["-c", *words[1:]]
            exec(compile(words[0], "<string>", "exec", dont_inherit=True), {"__name__": "__main__"})  # noqa: S102
        else:
            sys.argv[:] = [how, *words]
            runpy.run_path(how, run_name="__main__")
    except SystemExit as error:
        exit_codes.extend([error.code] if isinstance(error.code, int) else [])
        raise
    exit_codes.append(0)


exit_codes: list[int] = []


def end_at_once() -> None:
    """Spare the teardown of all modules, once everything else that is to be done at an exit is done."""
    if exit_codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_codes[0])


def remember_models() -> None:
    """Have botocore read the models of its services once, not for each session."""
    from botocore import loaders  # noqa: PLC0415  # libraries are loaded by who needs them

    load_file = cache(loaders.JSONFileLoader().load_file)
    loaders.JSONFileLoader.load_file = lambda _loader, path: load_file(path)


def preload() -> None:
    """Libraries, what botocore knows of services, and the modules of handoff."""
    atexit.register(end_at_once)
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


def main(address: str, *words: str) -> None:
    """Be the server, or what has it start Python with these words."""
    if not words:
        preload()
        become_python(serve(address))
        return
    code = ForkServer(Path(address)).start([sys.executable, *words], Path.cwd(), os.environ, stdin=None).wait()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(*sys.argv[1:])
