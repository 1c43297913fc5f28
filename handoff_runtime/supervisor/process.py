"""Stages as processes: finding the command, starting it in a process group of its own, what it used."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Mapping

from handoff_runtime.errors import mark_inserted
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.pipeline import Stage
from handoff_runtime.supervisor import watchdog

STAMP = "handoff.json"  # in an environment that `invoke install` has completed
OF_ANOTHER_PYTHON = ("PYTHONHOME", "PYTHONPATH")  # they come before the packages of a venv


class Command(NamedTuple):
    """What posix_spawn(3) is given: a path that was found, the words, the environment."""

    stage: str
    path: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]


class Usage(NamedTuple):
    """What a stage and its waited-for children used: CPU seconds, peak resident bytes."""

    cpu_seconds: float
    peak_bytes: int


def find_command(stage: Stage, environ: Mapping[str, str]) -> Command:
    """Find the stage's command before anything runs; StartError 127 or 126 as POSIX shells have it."""
    inherited = {name: value for name, value in environ.items() if not (stage.venv and name in OF_ANOTHER_PYTHON)}
    own = {**inherited, **stage.envs}
    if stage.venv:  # as `activate` would set it
        venv = _hold_venv(stage.venv)
        own["VIRTUAL_ENV"] = venv
        own["PATH"] = os.pathsep.join([os.path.join(venv, "bin"), own.get("PATH", os.defpath)])
    places = own.get("PATH", os.defpath)
    if stage.is_shell:
        return Command(stage.name, *_shell(stage, places), own)
    path = _find(stage, places)
    if _may_lack_interpreter(path):
        from handoff_runtime.supervisor import start_failure

        if error := start_failure.bad_interpreter(stage.name, path):
            raise error
    return Command(stage.name, path, stage.argv, own)


_held: dict[str, int] = {}


def _hold_venv(path: str) -> str:
    """Where an environment really is: `invoke install` leads the link to another one while this one is in use.

    It removes none whose stamp is locked, here until we end. The link may change before the lock, so look again.
    """
    place = os.path.realpath(path)
    while True:
        if place not in _held:
            try:
                _held[place] = os.open(os.path.join(place, STAMP), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                fcntl.flock(_held[place], fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:  # of another origin, being removed, or on a file system without locks
                pass
        before, place = place, os.path.realpath(path)
        if place == before:
            return place


def _shell(stage: Stage, places: str) -> tuple[str, tuple[str, ...]]:
    """The shell for a line, and its words: a command that fails ends it, in a pipe too, as does an unset variable.

    bash, started as `sh`, is in POSIX mode, and has pipefail; another `sh` finds out whether it has.
    """
    line = stage.argv[-1]
    bash = next(filter(_is_executable, _candidates("bash", places)), None)
    if bash:
        return bash, ("sh", "-euo", "pipefail", "-c", line)
    return _find(stage, places), ("sh", "-euc", f"{_PIPEFAIL}{line}")


_PIPEFAIL = "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi; "  # on the line: their numbers stay


def start_process(command: Command, stdin: int, stdout: int, stderr: int) -> int:
    """Start the command in a new process group with these three descriptors and no other; its pid."""
    fds = ((stdin, 0), (stdout, 1), (stderr, 2))
    actions = [(os.POSIX_SPAWN_DUP2, fd, target) for fd, target in fds]
    # What we or Python ignore or catch; a hangup that we were started to ignore stays ignored (nohup).
    signals: list[int] = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    try:
        return os.posix_spawn(
            command.path,
            command.argv,
            command.environ,
            file_actions=actions,
            setpgroup=0,
            setsigmask=[],
            setsigdef=signals,
        )
    except OSError as error:
        from handoff_runtime.supervisor import start_failure

        raise start_failure.refused(*command, error) from None


def has_open(pid: int, fd: int) -> bool:
    """Whether a process has open what our `fd` is, as far as the system shows it (proc(5)); of an ended one, yes."""
    place, ours = f"/proc/{pid}/fd", os.fstat(fd)
    try:
        for its in os.listdir(place):
            try:
                if os.path.samestat(os.stat(f"{place}/{its}"), ours):
                    return True
            except OSError:  # closed in between
                continue
        return not os.listdir(place)
    except OSError:
        return True


def writes_to_file(group: int) -> bool:
    """Whether the stdout of a process in this group is a regular file; no where the system does not show it (macOS)."""
    for pid in watchdog.list_processes():
        try:
            if os.getpgid(pid) == group and stat.S_ISREG(os.stat(f"/proc/{pid}/fd/1").st_mode):
                return True
        except OSError:  # ended in between, or its stdout is closed
            continue
    return False


def read_usage(rusage: object) -> Usage:
    """Read a `resource.struct_rusage`; ru_maxrss is in KiB on Linux and in bytes on macOS (getrusage(2))."""
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    cpu = getattr(rusage, "ru_utime", 0.0) + getattr(rusage, "ru_stime", 0.0)
    return Usage(cpu, getattr(rusage, "ru_maxrss", 0) * unit)


def _find(stage: Stage, path: str) -> str:
    name = stage.argv[0]
    places = [name] if "/" in name else _candidates(name, path)
    there = [place for place in places if os.path.isfile(place) or ("/" in name and os.path.exists(place))]
    for place in there:
        if _is_executable(place):
            return place
    from handoff_runtime.supervisor import start_failure

    if there:
        raise start_failure.not_executable(stage.name, name, there[0])
    where = "PATH" if "/" not in name and not stage.venv else mark_inserted(os.getcwd() if "/" in name else stage.venv)
    raise start_failure.missing(stage.name, name, where)


def _candidates(name: str, path: str) -> list[str]:
    return [os.path.join(place, name) for place in path.split(os.pathsep) if place]


def _is_executable(place: str | bytes) -> bool:
    return os.path.isfile(place) and os.access(place, os.X_OK)


def _may_lack_interpreter(path: str) -> bool:
    """Whether this is a script that needs a closer look; most are none, or name a program that is there."""
    try:
        with open(path, "rb") as file:
            head = file.read(256)
    except OSError:  # a program may be executable and not readable
        return False
    line = head[2:].split(b"\n", 1)[0]
    words = line.split()
    return head.startswith(b"#!") and (b"\r" in line or not words or not _is_executable(words[0]))
