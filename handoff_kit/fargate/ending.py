"""How a task ended, of what DescribeTasks tells of it: in plain words, what to do, and with which exit code we end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate import failures
from handoff_kit.project.fargate_sizes import larger
from handoff_kit.remote.names import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff_kit.fargate.known import Known

__all__ = ["Ending", "exit_code", "explain", "has_run", "is_over"]

STOPPED, OVER = "STOPPED", ("STOPPED", "DEPROVISIONING")
KILLED, SEGMENTATION, TERMINATED = 137, 139, 143
FAILED = 1
SPOT, USER, MAINTENANCE, NOT_STARTED = "SpotInterruption", "UserInitiated", "TerminationNotice", "TaskFailedToStart"
MEMORY = ("OutOfMemory", "memory usage", "killed for memory")


@dataclass(frozen=True)
class Ending:
    """The exit code we end with, a sentence, what to do; `again` where another start may go well by itself.

    Without having `ran` it has no log.
    """

    code: int
    words: str
    hint: str | None = None
    again: bool = False
    ran: bool = True


def is_over(task: Mapping[str, Any]) -> bool:
    """Whether all is known: stopped, or its containers are and only its address is still to be given back."""
    if task["lastStatus"] == STOPPED:
        return True
    return task["lastStatus"] in OVER and bool(task.get("stopCode")) and exit_code(task) is not None


def exit_code(task: Mapping[str, Any]) -> int | None:
    """The exit code of the container; None where it has none (yet), or never ran."""
    code = _container(task).get("exitCode")
    return None if code is None else int(code)


def has_run(task: Mapping[str, Any]) -> bool:
    """Whether it came to a process of ours, and so perhaps to a log."""
    return exit_code(task) is not None or bool(task.get("startedAt"))


def explain(task: Mapping[str, Any], known: Known, said: str = "") -> Ending:
    """How it ended; `said` are the runtime's last words, where its log was read."""
    code = exit_code(task)
    if code is not None:
        return _ran(code, task, known, said)
    return _without_code(task, known, said) if has_run(task) else _never_ran(task, known)


def _container(task: Mapping[str, Any]) -> Mapping[str, Any]:
    found = task.get("containers") or [{}]
    return next((each for each in found if each.get("name") == CONTAINER), found[0])


def _why(task: Mapping[str, Any]) -> str:
    """All that AWS says of it, in one line."""
    texts = (task.get("stoppedReason", ""), _container(task).get("reason", ""))
    return " ".join(" ".join(dict.fromkeys(filter(None, texts))).split())


def _ran(code: int, task: Mapping[str, Any], known: Known, said: str) -> Ending:
    stop, why = task.get("stopCode", ""), f"{_why(task)} {said}"
    if code == 0:
        return Ending(0, "succeeded (exit 0)")
    if code == KILLED and any(word in why for word in MEMORY):
        return _out_of_memory(task, known)
    if stop == SPOT:
        hint = (
            f"start it again: {known.invoke('run')}; to pay for no interruption: {known.file}, deploy: {{spot: false}}"
        )
        return Ending(code, f"was interrupted: AWS took the Spot capacity back (exit {code})", hint)
    if stop == MAINTENANCE:
        return Ending(
            code, f"was stopped by AWS for maintenance (exit {code})", f"start it again: {known.invoke('run')}"
        )
    if stop == USER:
        return _told_to_stop(code, task, known)
    words, hint = _of_code(code, known, said.partition(": ")[2])
    return Ending(code, f"{words} (exit {code})", hint)


def _out_of_memory(task: Mapping[str, Any], known: Known) -> Ending:
    cpu, memory = int(task.get("cpu") or 0), int(task.get("memory") or 0)
    words = f"was killed for memory: it wanted more than its {memory:,} MiB (exit {KILLED})"
    size = larger(cpu, memory)
    if size is None:
        return Ending(KILLED, words, "that is Fargate's largest size; have the stages work in smaller pieces")
    line = f"deploy: {{cpu: {size[0]}, memory: {size[1]}}}"
    once = f"for one run: {known.invoke('run')} --cpu {size[0]} --memory {size[1]}"
    return Ending(KILLED, words, f"{once}; for all: {known.file}, {line}, then: {known.invoke('deploy')}")


def _told_to_stop(code: int, task: Mapping[str, Any], known: Known) -> Ending:
    reason = " ".join(str(task.get("stoppedReason") or "no reason given").split())
    stopped = f"was {reason}" if reason.startswith("stopped ") else f"was stopped: {reason}"
    if code != KILLED:
        return Ending(code, f"{stopped} (exit {code})", f"see what it had done: {known.invoke('logs')}")
    words = f"{stopped}; it had not ended {known.stop_timeout} s after it was told to, and was killed"
    return Ending(code, f"{words} (exit {code})", f"give it longer: {known.file}, deploy: {{stop_timeout: 120}}")


def _of_code(code: int, known: Known, reason: str) -> tuple[str, str]:
    """The exit codes of the runtime (docs/running.md), else what a stage ended with."""
    logs = f"see its log: {known.invoke('logs')}"
    push = f"{known.invoke('params.push')}, then: {known.invoke('run')}"
    signal = code - 128
    table = {
        64: ("failed: what it was started with is wrong (--data or --command)", f"{logs}; mend it: invoke run --help"),
        69: ("failed: its params, files, artifacts or state could not be read or stored", logs),
        75: ("did nothing: another run of the project is under way", f"see which: {known.invoke('status')}"),
        78: ("failed: its params are not right", f"{known.invoke('check')}, then: {push}"),
        124: ("failed: a stage or the run took too long", logs),
        126: ("failed: a command cannot be executed", logs),
        127: ("failed: a command is not in the image", f"{logs}; after mending: {known.invoke('deploy')}"),
        KILLED: ("was killed (SIGKILL)", f"{logs}; if it speaks of memory: {known.file}, deploy: {{memory: ...}}"),
        SEGMENTATION: ("failed: a program crashed (SIGSEGV)", f"{logs}; a library may be made for another processor"),
        TERMINATED: ("was stopped (SIGTERM)", logs),
    }
    if code in table:
        return table[code]
    if reason:
        return f"failed: {reason}", logs
    return ("failed" if signal <= 0 else f"failed: a program was ended by signal {signal}", logs)


def _without_code(task: Mapping[str, Any], known: Known, said: str) -> Ending:
    """It ran, and ECS does not know with what exit code it ended: so says the log, or nobody."""
    why = ": ".join(filter(None, (said, _why(task)))) or "no reason given"
    return Ending(FAILED, f"stopped without an exit code: {why}", f"see its log: {known.invoke('logs')}")


def _never_ran(task: Mapping[str, Any], known: Known) -> Ending:
    """It never came to a process of ours; the words are by what AWS says, which is quoted."""
    why = _why(task)
    found = failures.of_start(f"{task.get('stopCode', '')} {why}")
    told = f": {why}" if why else ""
    return Ending(FAILED, f"{found.told}{told}", found.hint(known), found.again, ran=False)
