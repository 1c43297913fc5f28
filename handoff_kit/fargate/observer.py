"""Looking at one task again and again, without taking the lack of an answer for an answer.

DescribeTasks is eventually consistent: it may not know a task just after RunTask, and now and then not know one that
runs. About an hour after a task's end it knows it no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate import record, tasks
from handoff_kit.remote.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.fargate.ending import Ending
    from handoff_kit.fargate.ground import Cluster

    Task = Mapping[str, Any]

__all__ = ["BRIEF", "PATIENT", "Absence", "Observer", "still_running"]


@dataclass(frozen=True)
class Absence:
    """Seconds a task may be absent from ECS's answers: until its record is read, and until it counts as unknown."""

    record: float = 60.0
    unknown: float = 900.0


PATIENT, BRIEF = Absence(), Absence(10.0, 10.0)
"""For a task whose end is awaited; for one that was not just started."""


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
        """What ECS tells of the task; None where it tells nothing for now; its ending where the record knows it."""
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
        """How the run ended by its record; None while it may still run; AWSError where nobody knows."""
        try:
            found = record.find(self.cluster, self.task)
        except AWSError as error:
            if not error.passing:
                raise
            found, failure = record.StoredRun(""), failure or error
        if found.ending:
            return found.ending
        if not found.alive and absent >= self.absence.unknown:
            raise failure or self._unknown(absent, found.facts)
        said = failure.message if failure else "ECS does not know the task at present"
        if found.facts:
            said = f"{said}; {found.facts}"
        if not self._said:
            self.say(f"{said}; watching on")
            self._said = said
        return None

    def _unknown(self, absent: float, facts: str) -> AWSError:
        message = f"task {self.task}: ECS has not known it for {absent:.0f} s, and {facts}; it may still run"
        return AWSError(message, still_running(self.cluster, self.task))


def still_running(cluster: Cluster, task: str) -> str:
    """What to do about a task that may still run."""
    known = cluster.known
    logs, stop = f"{known.invoke('logs')} --run {task} --follow", f"{known.invoke('stop')} --task {task}"
    return f"see what runs: {known.invoke('status')}; its log: {logs}; to stop it: {stop}"
