"""Doing a plan, or telling it: one loop, so that what `--dry` prints is what would be done."""

from __future__ import annotations

import os
import shlex
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from handoff_kit import command
from handoff_kit.errors import CommandError, HandoffError
from handoff_kit.image.context import FIRST_TIME, sha256_of
from handoff_kit.steps import LockRequirements, RemoveTree, RunCommand, StampVenv, Step, WriteContext, WriteFile
from handoff_kit.venvs import locks
from handoff_kit.venvs.install import STAMP, stamp_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from handoff_kit.image.context import Entry

    Say = Callable[[str], None]

__all__ = ["describe", "execute"]


def execute(steps: Iterable[Step], *, dry: bool, say: Say) -> None:
    """Do each step, in order, saying it first; or only say it."""
    for step in steps:
        if dry:
            say(f"would {describe(step)}")
        else:
            say(describe(step))
            _perform(step, say)


def describe(step: Step) -> str:
    """A step as a phrase, never its contents."""
    match step:
        case WriteFile():
            return f"write {_shown(step.path)} ({len(step.text.encode()):,} bytes)"
        case WriteContext():
            files = sum(entry.source is not None for entry in step.entries)
            return f"write {_shown(step.directory)}/ ({files} files, {sum(e.size for e in step.entries):,} bytes)"
        case RemoveTree():
            return f"remove {_shown(step.path)}"
        case RunCommand():
            return f"run {shlex.join(step.argv)} (in {_shown(step.cwd)})"
        case LockRequirements():
            wanted = ", ".join(step.requirements) or "nothing"
            return f"resolve {wanted} into {_shown(step.lock)}: {shlex.join(step.argv)}"
        case StampVenv():
            return f"mark {_shown(step.directory)} as ready"


def _shown(path: Path) -> str:
    """A path as seen from here, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _perform(step: Step, say: Say) -> None:
    match step:
        case WriteFile():
            _write(step.path, step.text, step.mode, step.directory_mode)
        case WriteContext():
            _write_context(step.directory, step.entries)
        case RemoveTree():
            _remove(step.path)
        case RunCommand():
            saying = command.Saying(step.telling, step.where, step.hints)
            command.run(step.argv, cwd=step.cwd, purpose=step.purpose, env=step.env, saying=saying, given=step.given)
        case LockRequirements():
            _lock(step, say)
        case StampVenv():
            lock = step.lock.read_text(encoding="utf-8")
            _write(step.directory / STAMP, stamp_text(lock, step.directory, step.python), 0o644)


def _write(path: Path, text: str, mode: int, directory_mode: int = 0o777) -> None:
    """Whole or not at all, and never readable by more than `mode` allows."""
    try:
        missing = [parent for parent in path.parents if not parent.exists()]
        for parent in reversed(missing):  # with `parents`, mkdir gives its mode to the last one only
            parent.mkdir(directory_mode, exist_ok=True)
        _replace(path.resolve(), text.encode(), mode)
    except OSError as error:
        raise HandoffError(f"could not write {_shown(path)}: {error.strerror}") from error


def _replace(path: Path, content: bytes, mode: int) -> None:
    if path.exists() and not path.is_file():
        raise HandoffError(f"could not write {_shown(path)}: found what is no file, expected a file or nothing")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write_context(directory: Path, entries: Sequence[Entry]) -> None:
    beside = directory.with_name(f".{directory.name}.{os.getpid()}")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        for entry in entries:
            _put_entry(beside, entry)
        times = {beside / entry.path: entry.time for entry in entries}
        for path in (*beside.rglob("*"), beside):
            time = times.get(path, FIRST_TIME)
            os.utime(path, (time, time), follow_symlinks=False)
        _remove(directory)
        beside.rename(directory)
    except OSError as error:
        raise HandoffError(f"could not write {_shown(directory)}: {error.strerror}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put_entry(top: Path, entry: Entry) -> None:
    path = top / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.source is not None:
        shutil.copyfile(entry.source, path)
        if sha256_of(path) != entry.sha256:
            raise HandoffError(f"{_shown(entry.source)}: changed while it was read", "let it rest, and try again")
        path.chmod(entry.mode)
    elif entry.target is not None:
        path.symlink_to(entry.target)
    else:
        path.mkdir(exist_ok=True)
        path.chmod(entry.mode)


def _remove(path: Path) -> None:
    """Gone at once: a tree is moved aside first, so that half of one is never taken for a whole."""
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        aside = path.with_name(f".{path.name}.removed")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise HandoffError(f"could not remove {_shown(path)}: {error.strerror}") from error


def _lock(step: LockRequirements, say: Say) -> None:
    for python in step.pythons[:-1]:
        with suppress(CommandError):
            return _resolve(step, python)
        say(f"no versions serve Python {python} and later; trying again for {step.pythons[-1]} and later")
    return _resolve(step, step.pythons[-1])


def _resolve(step: LockRequirements, python: str) -> None:
    with TemporaryDirectory(prefix="handoff-") as scratch:
        output = Path(scratch) / step.lock.name
        if step.lock.exists() and not step.upgrade:  # uv keeps the versions in its output file, where they still fit
            shutil.copyfile(step.lock, output)
        argv = (*step.argv, "--python-version", python, "--output-file", str(output))
        given = "".join(f"{text}\n" for text in step.requirements)
        command.run(argv, cwd=step.cwd, purpose=step.purpose, saying=command.Saying(locks.FAILURES), given=given)
        pins = output.read_text(encoding="utf-8")
    _write(step.lock, locks.lock_text(step.requirements, pins, python), 0o644)
