"""Observe one task until it ends, also over answers of ECS that do not contain it.

DescribeTasks is eventually consistent: it may not know a task just after RunTask, and now and then not know one that
runs. About an hour after a task's end it knows it no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from handoff_kit.fargate import record, tasks
from handoff_kit.fargate.ending import Ending
from handoff_kit.fargate.ground import Cluster
from handoff_kit.fargate.tasks import Task
from handoff_kit.remote.errors import AWSError


@dataclass(frozen=True)
class Absence:
    """Seconds a task may be absent from ECS's answers: until its record is read, and until it counts as unknown."""

    record: float = 60.0
    unknown: float = 900.0


PATIENT, BRIEF = Absence(), Absence(10.0, 10.0)
"""For a task that is awaited; for one that was not just started."""


@dataclass
class Observer:
    """`task` is its id."""

    cluster: Cluster
    task: str
    say: Callable[[str], None]
    clock: Callable[[], float]
    absence: Absence = PATIENT
    _since: float | None = field(default=None, init=False)
    _next: float = field(default=0.0, init=False)
    _said: str = field(default="", init=False)

    def look(self) -> Task | Ending | None:
        """The task of DescribeTasks; its result by its record where ECS does not know it; None while neither does."""
        failure: AWSError | None = None
        try:
            if found := tasks.look(self.cluster, self.task):
                self._since, self._said = None, ""
                return found
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
        return self._by_record(now - self._since, failure)

    def _by_record(self, absent: float, failure: AWSError | None) -> Ending | None:
        """The result by the record of the run; None while it may still run; AWSError once it counts as unknown."""
        try:
            found = record.find(self.cluster, self.task)
        except AWSError as error:
            if not error.passing:
                raise
            found, failure = record.StoredRun(""), failure or error
        if found.ending:
            return found.ending
        if not found.alive and absent >= self.absence.unknown:
            message = f"task {self.task}: ECS has not known it for {absent:.0f} s, and {found.facts}; it may still run"
            raise failure or AWSError(message, still_running(self.cluster, self.task))
        said = failure.message if failure else "ECS does not know the task at present"
        if found.facts:
            said = f"{said}; {found.facts}"
        if not self._said:
            self.say(f"{said}; still watching")
            self._said = said
        return None


def still_running(cluster: Cluster, task: str) -> str:
    """The hint for a task that may still run."""
    known = cluster.known
    logs, stop = f"{known.invoke('logs')} --run {task} --follow", f"{known.invoke('stop')} --task {task}"
    return f"see what runs: {known.invoke('status')}; its log: {logs}; to stop it: {stop}"
