"""Observe one task until it ends, also over answers of ECS that do not contain it.

DescribeTasks is eventually consistent: it may not know a task just after RunTask, and now and then not know one that
runs. About an hour after a task's end it no longer knows it; then the record of its run in the bucket says how it
ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.log_stream import LogTail, first_messages
from handoff_kit.aws.ecs.stop_reasons import FAILED, TaskResult
from handoff_kit.aws.ecs.tasks import Task, describe_task
from handoff_kit.console import Say
from handoff_kit.errors import AWSError, translate_store_errors
from handoff_runtime import s3_keys, stored_json
from handoff_runtime.aws import lease

RUN_LINE = re.compile(r"run (\S+) of ")
RUNNING_OUTCOME = "running"
LAST_LINES = 20


@dataclass(frozen=True)
class StoredRun:
    """`ending` where the run has ended, `alive` where it holds the lock; else only the `facts` are known."""

    facts: str
    ending: TaskResult | None = None
    alive: bool = False


def find_stored_run(tasks: ProjectTasks, task: str) -> StoredRun:
    """The run of a task, by its id in the first lines of the log; at most five calls."""
    stream = tasks.log_stream(task)
    texts = first_messages(tasks.target, tasks.log_group, stream)
    run = next((match[1] for match in map(RUN_LINE.match, texts) if match), "")
    if not run:
        return StoredRun("its log names no run" if texts else "it has no log")
    stack = describe_existing(tasks.target.session, tasks.target.name)
    bucket = stack.parameters.get("Bucket") if stack else None
    if bucket is None:
        return StoredRun(f"its log names run {run}, and stack {tasks.target.name} does not exist to name its bucket")
    with translate_store_errors():
        answer = tasks.target.session.read(bucket, f"{s3_keys.run(tasks.target.name, run)}run.json")
        record = (answer and stored_json.parse(answer[0], stored_json.ANY).value) or {}
        lock = lease.read_lease(tasks.target.session, bucket, tasks.target.name)
    if stored := _stored_run(tasks, run, record, lock):
        return stored
    tail = LogTail(tasks.target, tasks.log_group, stream, last=LAST_LINES)
    tail.read()
    last = f"; its log ends with: {tail.last_line}" if tail.last_line else ""
    return StoredRun(f"no record of its run {run} is in s3://{bucket}/{s3_keys.run(tasks.target.name, run)}{last}")


def _stored_run(
    tasks: ProjectTasks, run: str, record: Mapping[str, Any], lock: lease.StoredLease | None
) -> StoredRun | None:
    """The run by its record and the lock, which names a run until the next run acquires it."""
    if ending := _ended_run(tasks, run, record):
        return ending
    if lock is None or lock.claim.get("run_id") != run:
        lost = f"run {run} lost its lock and never stored how it ended"
        return _killed_run(tasks, run, lost) if record.get("outcome") == RUNNING_OUTCOME else None
    if lock.claim.get("released"):
        entry = lock.claim.get("entry")
        return _ended_run(tasks, run, entry if isinstance(entry, dict) else {})
    beat = f"last heartbeat {lock.age:.0f} s ago"
    if lease.is_free(lock):
        return _killed_run(tasks, run, f"run {run} was killed ({beat})")
    return StoredRun(f"run {run} holds the lock ({beat})", alive=True)


def _ended_run(tasks: ProjectTasks, run: str, record: Mapping[str, Any]) -> StoredRun | None:
    """The run by its record, or by its entry in the lock; None where that holds no outcome."""
    outcome, code = record.get("outcome"), record.get("exit")
    if not isinstance(outcome, str) or outcome == RUNNING_OUTCOME:
        return None
    code = code if isinstance(code, int) else FAILED
    reason = f": {record['reason']}" if record.get("reason") else ""
    facts = f"{outcome}{reason} (exit {code}), by the record of run {run}"
    return StoredRun(facts, TaskResult(code, facts, _hint_for_record(tasks, run) if code else None))


def _killed_run(tasks: ProjectTasks, run: str, facts: str) -> StoredRun:
    return StoredRun(facts, TaskResult(FAILED, f"is over: {facts}", _hint_for_record(tasks, run)))


def _hint_for_record(tasks: ProjectTasks, run: str) -> str:
    return f"see its record: invoke history.show --remote --run {run} {tasks.target.options}"


@dataclass(frozen=True)
class Absence:
    """Seconds a task may be absent from ECS's answers: until its record is read, and until it counts as unknown."""

    record: float = 60.0
    unknown: float = 900.0


PATIENT, BRIEF = Absence(), Absence(10.0, 10.0)
"""For a task that is awaited; for one that was not just started."""


@dataclass
class TaskObserver:
    """`task` is its id."""

    tasks: ProjectTasks
    task: str
    say: Say
    clock: Callable[[], float]
    absence: Absence = PATIENT
    _since: float | None = field(default=None, init=False)
    _next: float = field(default=0.0, init=False)
    _is_reported: bool = field(default=False, init=False)

    def look(self) -> Task | TaskResult | None:
        """The task of DescribeTasks; its result by its record where ECS does not know it; None while neither does."""
        failure: AWSError | None = None
        try:
            if task := describe_task(self.tasks, self.task):
                self._since, self._is_reported = None, False
                return task
        except AWSError as error:
            if not error.passing:
                raise
            failure = error
        now = self.clock()
        if self._since is None:
            self._since, self._next = now, now + self.absence.record
        if now < self._next:
            return None
        self._next = now + self.absence.record
        return self._result_by_record(now - self._since, failure)

    def _result_by_record(self, absent: float, failure: AWSError | None) -> TaskResult | None:
        """The result by the record of the run; None while it may still run; AWSError once it counts as unknown."""
        try:
            run = find_stored_run(self.tasks, self.task)
        except AWSError as error:
            if not error.passing:
                raise
            run, failure = StoredRun(""), failure or error
        if run.ending:
            return run.ending
        if not run.alive and absent >= self.absence.unknown:
            message = f"task {self.task}: ECS has not known it for {absent:.0f} s, and {run.facts}; it may still run"
            raise failure or AWSError(message, hint_for_running_task(self.tasks, self.task))
        if not self._is_reported:
            reason = failure.message if failure else "ECS does not know the task at present"
            facts = f"; {run.facts}" if run.facts else ""
            self.say(f"{reason}{facts}; still watching")
            self._is_reported = True
        return None


def hint_for_running_task(tasks: ProjectTasks, task: str) -> str:
    logs, stop = f"{tasks.invoke('logs')} --run {task} --follow", f"{tasks.invoke('stop')} --task {task}"
    return f"see what runs: {tasks.invoke('status')}; its log: {logs}; to stop it: {stop}"
