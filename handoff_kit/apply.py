"""The executor of plans: `apply` performs steps, or with `--dry` prints their descriptions."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from handoff_kit.aws.target import Target
from handoff_kit.command import run_command
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, CommandError, translate_store_errors
from handoff_kit.image.context import sha256_of
from handoff_kit.image.push import sign_in
from handoff_kit.project.retention import describe_keep
from handoff_kit.steps import (
    FIRST_TIME,
    ApiCall,
    ApiCalls,
    CopyProjectData,
    DeleteObjects,
    DeleteStack,
    DeployStack,
    EndRuns,
    Entry,
    LockRequirements,
    RemoveTree,
    RunCommand,
    Step,
    StoreParams,
    SwitchVenv,
    TagVersions,
    UploadFiles,
    WriteContext,
    WriteFile,
)
from handoff_kit.text import plural
from handoff_kit.venvs import locks
from handoff_kit.venvs.install import stamp_text, switch_venv
from handoff_runtime.aws import transfer
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import Session
from handoff_runtime.aws.transfer import Place
from handoff_runtime.errors import HandoffError
from handoff_runtime.supervisor.process import STAMP
from handoff_runtime.terminal import safe_name

CONDITION_FAILED = ("412", "404", "409")
"""How S3 answers a conditional call whose condition no longer holds: changed, deleted, or being changed."""
ALREADY_GONE = ("NoSuchBucket", "NoSuchUpload", "ParameterNotFound", "RepositoryNotFoundException")
ITEM_ALREADY_GONE = ("NoSuchKey", "NoSuchVersion", "ImageNotFound")


@dataclass(frozen=True)
class ApplyOptions:
    """`dry`: only describe; `yes`: do not ask; `rewrite`: also write files whose content would stay the same."""

    say: Say
    dry: bool = False
    yes: bool = False
    rewrite: bool = False


def apply(steps: Iterable[Step], target: Target | None, options: ApplyOptions) -> int:
    """Perform each step in order, or with `dry` describe it; return how many changed something, or would.

    Files written on this machine do not count. Steps in AWS need a `target`.
    """
    changes = 0
    with ExitStack() as cleanup:
        for step in steps:
            if isinstance(step, DeployStack | DeleteStack):
                changes += _apply_to_stack(step, _required(target).session, options)
                continue
            if (
                isinstance(step, WriteFile)
                and not options.rewrite
                and step.path.is_file()
                and step.path.read_bytes() == step.text.encode()
            ):
                continue
            for note in _notes(step, target):
                options.say(note)
            lines = describe(step)
            if options.dry:
                for line in lines:
                    options.say(f"would {line}")
            elif lines:
                with translate_store_errors():
                    _perform(step, target, options.say, cleanup)
            changes += bool(lines) and not isinstance(step, WriteFile)
    return changes


def _apply_to_stack(step: DeployStack | DeleteStack, session: Session, options: ApplyOptions) -> bool:
    """These functions do the dry run themselves: only a comparison with the deployed stack shows what would change."""
    from handoff_kit.aws.cloudformation.deploy_stack import delete_stack, deploy_stack

    dry, yes, say = options.dry, options.yes, options.say
    if isinstance(step, DeleteStack):
        return delete_stack(step, session, dry=dry, yes=yes, say=say)
    return deploy_stack(step, session, dry=dry, yes=yes, say=say)


def describe(step: Step) -> tuple[str, ...]:
    """The actions of a step as phrases, without contents that may be secret; empty if it does nothing."""
    match step:
        case WriteFile():
            return (f"write {_display(step.path)} ({len(step.text.encode()):,} bytes)",)
        case WriteContext():
            files = sum(entry.source is not None for entry in step.entries)
            size = sum(entry.size for entry in step.entries)
            return (f"write {_display(step.directory)}/ ({files} files, {size:,} bytes)",)
        case RemoveTree():
            return (f"remove {_display(step.path)}",)
        case RunCommand():
            return (f"run {shlex.join(step.argv)} (in {_display(step.cwd)})",)
        case LockRequirements():
            requirements = ", ".join(step.requirements) or "nothing"
            return (f"resolve {requirements} into {_display(step.lock)}: {shlex.join(step.argv)}",)
        case SwitchVenv():
            return (f"switch {_display(step.link)} to {step.version.name}",)
        case DeployStack():
            return (f"deploy stack {step.name}",)
        case DeleteStack():
            return (f"delete stack {step.name}",)
        case ApiCalls():
            return tuple(call.description for call in step.calls)
        case UploadFiles():
            return tuple(f"upload {safe_name(file.path)} ({file.size:,} bytes)" for file in step.files)
        case DeleteObjects():
            return tuple(f"delete s3://{step.bucket}/{safe_name(key)}" for key in step.keys)
        case StoreParams():
            return (step.change.description,) if step.change else ()
        case CopyProjectData():
            source, target = (f"s3://{bucket}/{step.prefix}" for bucket in (step.source, step.bucket))
            return (f"copy {plural(step.objects, 'object')} ({step.bytes:,} bytes) from {source} to {target}",)
        case TagVersions():
            what = f"{plural(step.versions, 'stored version')} below s3://{step.bucket}/{step.prefix}"
            return (f"tag {what} with their retention (keep: {{{describe_keep(step.keep)}}})",)
        case EndRuns():
            verb = {"": "check that", "wait": "wait until", "stop": "stop runs until"}[step.running]
            return (f"{verb} no run is under way in cluster {step.cluster}",)


def _notes(step: Step, target: Target | None) -> Iterable[str]:
    match step:
        case UploadFiles():
            return step.notes
        case StoreParams():
            from handoff_kit.aws.params import push_notes

            return push_notes(step, _required(target))
        case _:
            return ()


def _perform(step: Step, target: Target | None, say: Say, cleanup: ExitStack) -> None:
    if not isinstance(step, ApiCalls | StoreParams | EndRuns):  # these show what is done when it is done
        for line in describe(step):
            say(line)
    match step:
        case WriteFile():
            _write(step.path, step.text, step.mode, step.directory_mode)
        case WriteContext():
            _write_context(step.directory, step.entries)
        case RemoveTree():
            _remove(step.path)
        case RunCommand():
            with sign_in(step.registry) as environ:
                purpose, patterns, log = step.purpose, step.patterns, step.log
                run_command(step.argv, cwd=step.cwd, purpose=purpose, patterns=patterns, environ=environ, log=log)
        case LockRequirements():
            _lock_requirements(step, say)
        case SwitchVenv():
            lock = step.resolved.read_text(encoding="utf-8")
            _write(step.version / STAMP, stamp_text(lock, step.link, step.python), 0o644)
            if step.resolved != step.lock:
                _write(step.lock, lock, 0o644)
            switch_venv(step.link, step.version)
        case ApiCalls():
            session = _required(target).session
            answers = map_concurrently(lambda call: _call(call, session), step.calls)
            for call, _ in zip(step.calls, answers, strict=True):
                say(call.description)
        case UploadFiles():
            transfer.store(_required(target).session, step.files, Place(step.bucket, step.prefix))
        case DeleteObjects():
            transfer.remove(_required(target).session, step.bucket, step.keys)
        case StoreParams():
            from handoff_kit.aws.params import push_params

            push_params(step, _required(target), say)
        case CopyProjectData():
            from handoff_kit.aws import move_bucket

            move_bucket.copy_project_data(step, _required(target), cleanup, say)
        case TagVersions():
            from handoff_kit.aws.object_tags import tag_versions

            tag_versions(step, _required(target), say)
        case EndRuns():
            from handoff_kit.aws.ecs.running_runs import end_runs

            end_runs(step, _required(target), say)


def _required(target: Target | None) -> Target:
    if target is None:
        raise AssertionError("a step in AWS needs a target")
    return target


def _call(call: ApiCall, session: Session) -> None:
    allowed = CONDITION_FAILED if call.race else ALREADY_GONE
    answer = session.call(call.service, call.operation, allow=allowed, **call.request)
    if answer is None and call.race:
        raise call.race
    # S3 and ECR report in an answer of status 200 what they did not delete
    errors = [(error.get("Code", ""), f"{error.get('Key')} not deleted") for error in (answer or {}).get("Errors", ())]
    for failure in (answer or {}).get("failures", ()):
        digest = failure.get("imageId", {}).get("imageDigest", "")
        errors.append((failure.get("failureCode", ""), f"image {digest} not deleted"))
    if refused := [f"{message} ({code})" for code, message in errors if code not in ITEM_ALREADY_GONE]:
        more = f", nor {len(refused) - 1} others" if len(refused) > 1 else ""
        raise AWSError(f"{call.description}: {refused[0]}{more}", "run it again")


def _display(path: Path) -> str:
    """A path for messages: relative to the working directory if it is below it."""
    cwd = Path.cwd()
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _write(path: Path, text: str, mode: int, directory_mode: int = 0o777) -> None:
    """Write atomically; the file is never readable by more than `mode` allows."""
    try:
        missing = [parent for parent in path.parents if not parent.exists()]
        for parent in reversed(missing):  # with `parents`, mkdir gives its mode to the last one only
            parent.mkdir(directory_mode, exist_ok=True)
        file = path.resolve()
        if file.exists() and not file.is_file():
            raise HandoffError(f"could not write {_display(file)}: found a directory or a device, expected a file")
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            beside.unlink(missing_ok=True)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
                opened.write(text.encode())
            beside.replace(file)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise HandoffError(f"could not write {_display(path)}: {error.strerror}") from error


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
        raise HandoffError(f"could not write {_display(directory)}: {error.strerror}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put_entry(top: Path, entry: Entry) -> None:
    path = top / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.source is not None:
        shutil.copyfile(entry.source, path)
        if sha256_of(path) != entry.sha256:
            raise HandoffError(
                f"{_display(entry.source)}: changed while it was read", "run it again once the file no longer changes"
            )
        path.chmod(entry.mode)
    elif entry.target is not None:
        path.symlink_to(entry.target)
    else:
        path.mkdir(exist_ok=True)
        path.chmod(entry.mode)


def _remove(path: Path) -> None:
    """Move a tree aside before it is removed, so that no half of it is taken for the whole."""
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        aside = path.with_name(f".{path.name}.removed")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise HandoffError(f"could not remove {_display(path)}: {error.strerror}") from error


def _lock_requirements(step: LockRequirements, say: Say) -> None:
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
        stdin = "".join(f"{text}\n" for text in step.requirements)
        run_command(argv, cwd=step.cwd, purpose=step.purpose, patterns=locks.FAILURES, stdin=stdin)
        pins = output.read_text(encoding="utf-8")
    _write(step.lock, locks.lock_text(step.requirements, pins, python), 0o644)
