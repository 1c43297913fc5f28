"""Watching a task from its start to its end: its states, its log, what whoever watches wants, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from handoff_kit.fargate import ending, record, start, tasks
from handoff_kit.fargate.log import Form, Tail
from handoff_kit.fargate.observer import PATIENT, Absence, Observer, still_running
from handoff_kit.fargate.tasks import id_of
from handoff_kit.remote.errors import AWSError
from handoff_runtime.aws import faults
from handoff_runtime.waits import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.fargate.attention import Attention
    from handoff_kit.fargate.ending import Ending
    from handoff_kit.fargate.ground import Cluster

    Task = Mapping[str, Any]

__all__ = ["Left", "Patience", "Watch", "run"]

RUNNING = "RUNNING"
BEFORE = ("PROVISIONING", "PENDING", "ACTIVATING")
STARTS = 3
BY_USER = "stopped by invoke"


@dataclass(frozen=True)
class Patience:
    """Seconds: between looks (at first, and at most), until waiting is told, and until it is given up.

    `quiet`: how long a log may be silent after its task's end until nothing more is expected; `stopping`: how
    long after its stop timeout a task may take to be gone.
    """

    first: float = 1.0
    longest: float = 3.0
    told: float = 120.0
    start: float = 900.0
    quiet: float = 10.0
    stopping: float = 120.0
    absence: Absence = PATIENT


@dataclass(frozen=True)
class Left:
    """The task was left to itself; `stopping` where ECS has taken the request to stop it."""

    task: str
    stopping: bool = False


@dataclass
class Watch:
    """One task that is watched; `show` takes its log's lines, which are not read where there is none."""

    cluster: Cluster
    arn: str
    effects: start.Effects
    attention: Attention
    show: Callable[[str], None] | None
    patience: Patience = Patience()
    state: str = ""
    slow: bool = False
    has_run: bool = False
    to_stop: bool = False
    told_to_stop: float | None = None

    def end(self) -> Ending | Left:
        """How it ended, once its log is read; or that it was left."""
        try:
            return self._followed()
        except AWSError as error:
            if not (error.passing or error.hint == faults.AGAIN):
                raise
            raise AWSError(error.message, still_running(self.cluster, id_of(self.arn))) from None

    def _followed(self) -> Ending | Left:
        tail, form = self._tail(), Form()
        began, wait = self.effects.clock(), self.patience.first
        observer = Observer(self.cluster, id_of(self.arn), self.effects.say, self.effects.clock, self.patience.absence)
        while True:
            found = observer.look()
            if isinstance(found, ending.Ending):
                self._show(tail, form)
                return found
            if found:
                self._tell(found, began)
            if self.has_run:
                self._show(tail, form)
            if found and ending.is_over(found):
                self._drain(found, tail, form)
                return self._ended(found, tail.said)
            self.effects.pause(wait)
            wait = min(self.patience.longest, wait * 1.25)
            if left := self._heed():
                return left
            if self.to_stop:
                self.stop()

    def _tail(self) -> Tail:
        return Tail(self.cluster.stack, self.cluster.log_group, self.cluster.log_stream(id_of(self.arn)))

    def _show(self, tail: Tail, form: Form) -> bool:
        """Show what has come of the log; whether anything has. A log that cannot be read now is read later."""
        try:
            events = tail.read() if self.show else []
        except AWSError as error:
            if not error.passing:
                raise
            self.effects.say(error.message)
            events = []
        if events and self.show:
            self.show(form.lines(events))
        return bool(events)

    def _tell(self, task: Task, began: float) -> None:
        """Each state once; a start that takes long; what takes too long ends it. What has run once has started."""
        state, waited = str(task["lastStatus"]), self.effects.clock() - began
        self.has_run = self.has_run or state not in BEFORE
        if state != self.state:
            self.state = state
            self.effects.say(f"{state} after {waited:.0f} s")
        if not self.has_run and self.told_to_stop is None:
            self._start_takes(waited)
        if self.told_to_stop is not None:
            self._stop_takes(self.effects.clock() - self.told_to_stop)

    def _start_takes(self, waited: float) -> None:
        if waited > self.patience.start and tasks.stop(self.cluster, self.arn, "did not start in time"):
            message = f"task {id_of(self.arn)}: still {self.state} after {waited:.0f} s, and so stopped"
            raise AWSError(f"{message}; expected it to run", self._look_at())
        if waited > self.patience.told and not self.slow:
            self.slow = True
            self.effects.say(f"still {self.state} after {waited:.0f} s; {self._look_at()}")

    def _look_at(self) -> str:
        known = self.cluster.known
        way = (
            "a route to the internet (public_ip, or a NAT gateway)" if known.public_ip else "a NAT gateway or endpoints"
        )
        return f"if it stays so: do its subnets have {way}, and how large is its image? {known.invoke('status')}"

    def _stop_takes(self, waited: float) -> None:
        limit = self.cluster.known.stop_timeout + self.patience.stopping
        if waited > limit:
            message = f"task {id_of(self.arn)}: still {self.state} {waited:.0f} s after it was told to stop"
            raise AWSError(message, self.cluster.known.invoke("status"))

    def _drain(self, task: Task, tail: Tail, form: Form) -> None:
        """Read on for what arrives after the end: to the runtime's last line, or until nothing comes any more."""
        quiet_since = self.effects.clock()
        while (
            self.show
            and ending.has_run(task)
            and not tail.said
            and self.effects.clock() - quiet_since < shortened(self.patience.quiet)
        ):
            if self._show(tail, form):
                quiet_since = self.effects.clock()
            elif not tail.said:
                self.effects.pause(self.patience.first)
                if self.attention.came():
                    return

    def _ended(self, task: Task, said: str) -> Ending:
        """How; it is to be started again only where nobody had it stopped, and the work was not begun."""
        if ending.has_run(task) and ending.exit_code(task) is None:
            how = record.find(self.cluster, id_of(self.arn)).ending
            return how or ending.explain(task, self.cluster.known, said)
        how = ending.explain(task, self.cluster.known, said)
        again = how.again and self.told_to_stop is None and task.get("stopCode") == ending.NOT_STARTED
        return replace(how, again=again and not ending.has_run(task))

    def _heed(self) -> Left | None:
        """Do what a signal means: leave the task, or stop it and watch it end."""
        wanted = self.attention.wanted()
        if wanted == "stop":
            self.attention.number = 0
            self.stop()
        return Left(id_of(self.arn), self.told_to_stop is not None) if wanted == "detach" else None

    def stop(self) -> None:
        """Have it stopped, once; where ECS does not know it, as soon as it does."""
        if self.told_to_stop is not None:
            return
        if tasks.stop(self.cluster, self.arn, BY_USER):
            self.told_to_stop, self.to_stop = self.effects.clock(), False
            self.effects.say(f"told to stop; it has {self.cluster.known.stop_timeout} s")
        elif not self.to_stop:
            self.to_stop = True
            self.effects.say("ECS does not know the task at present; it is stopped as soon as it does")


def run(
    cluster: Cluster, request: Mapping[str, Any], watch: Callable[[str], Watch], effects: start.Effects
) -> tuple[str, Ending | Left]:
    """Start a task and watch it; one that never starts is started again, told, and not for ever."""
    for attempt in range(1, STARTS + 1):
        arn = start.start(cluster, request, effects)
        effects.say(f"started task {id_of(arn)}")
        try:
            found = watch(arn).end()
        except AWSError:
            stop = f"{cluster.known.invoke('stop')} --task {id_of(arn)}"
            effects.say(f"task {id_of(arn)} is no longer watched, and may still run; to stop it: {stop}")
            raise
        if isinstance(found, Left) or not found.again or attempt == STARTS:
            return arn, found
        effects.say(f"{found.words}\nstarting it again ({attempt + 1} of {STARTS})")
        effects.check()
    raise AssertionError
