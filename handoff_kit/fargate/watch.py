"""Watch a task from its start to its end: print its states and its log, detach or stop on a signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from handoff_kit.fargate import ending, record, start, tasks
from handoff_kit.fargate.attention import Attention
from handoff_kit.fargate.ending import Ending
from handoff_kit.fargate.ground import Cluster
from handoff_kit.fargate.log import Form, Tail
from handoff_kit.fargate.observer import PATIENT, Absence, Observer, still_running
from handoff_kit.fargate.tasks import Task, id_of
from handoff_kit.remote.errors import AWSError
from handoff_runtime.aws import faults
from handoff_runtime.waits import shortened

RUNNING = "RUNNING"
BEFORE = ("PROVISIONING", "PENDING", "ACTIVATING")
STARTS = 3
BY_USER = "stopped by invoke"


@dataclass(frozen=True)
class Patience:
    """Seconds: between polls (`first`, `longest`), until a slow start is reported (`told`) and stopped (`start`).

    `quiet`: how long a log may be silent after the end of its task until it counts as complete; `stopping`: how long
    a task may take to stop after its stop timeout.
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
    """Detached from a task; `stopping` where ECS has accepted StopTask."""

    task: str
    stopping: bool = False


@dataclass
class Watch:
    """`show` prints lines of the log, which is not read without it; `told_to_stop` is when StopTask was accepted."""

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
        """The result of the task, once its log is read; Left after detaching."""
        try:
            return self._poll_until_ended()
        except AWSError as error:
            if not (error.passing or error.hint == faults.AGAIN):
                raise
            raise AWSError(error.message, still_running(self.cluster, id_of(self.arn))) from None

    def _poll_until_ended(self) -> Ending | Left:
        stream = self.cluster.log_stream(id_of(self.arn))
        tail, form = Tail(self.cluster.stack, self.cluster.log_group, stream), Form()
        began, wait = self.effects.clock(), self.patience.first
        observer = Observer(self.cluster, id_of(self.arn), self.effects.say, self.effects.clock, self.patience.absence)
        while True:
            found = observer.look()
            if isinstance(found, ending.Ending):
                self._show(tail, form)
                return found
            if found:
                self._report_state(found, began)
            if self.has_run:
                self._show(tail, form)
            if found and ending.is_over(found):
                self._drain(found, tail, form)
                return self._result(found, tail.said)
            self.effects.pause(wait)
            wait = min(self.patience.longest, wait * 1.25)
            if left := self._handle_signal():
                return left
            if self.to_stop:
                self.stop()

    def _show(self, tail: Tail, form: Form) -> bool:
        """Print new lines of the log; whether there were any. A log that cannot be read now is read later."""
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

    def _report_state(self, task: Task, began: float) -> None:
        """Print a new state; give up on a start or a stop that takes too long."""
        state, waited = str(task["lastStatus"]), self.effects.clock() - began
        self.has_run = self.has_run or state not in BEFORE
        if state != self.state:
            self.state = state
            self.effects.say(f"{state} after {waited:.0f} s")
        if not self.has_run and self.told_to_stop is None:
            self._check_start(waited)
        if self.told_to_stop is not None:
            waited = self.effects.clock() - self.told_to_stop
            if waited > self.cluster.known.stop_timeout + self.patience.stopping:
                message = f"task {id_of(self.arn)}: still {self.state} {waited:.0f} s after its stop was requested"
                raise AWSError(message, self.cluster.known.invoke("status"))

    def _check_start(self, waited: float) -> None:
        if waited > self.patience.start and tasks.stop(self.cluster, self.arn, "did not start in time"):
            message = f"task {id_of(self.arn)}: still {self.state} after {waited:.0f} s, and so stopped"
            raise AWSError(f"{message}; expected it to run", self._hint_for_slow_start())
        if waited > self.patience.told and not self.slow:
            self.slow = True
            self.effects.say(f"still {self.state} after {waited:.0f} s; {self._hint_for_slow_start()}")

    def _hint_for_slow_start(self) -> str:
        known = self.cluster.known
        internet = "a route to the internet (public_ip, or a NAT gateway)"
        route = internet if known.public_ip else "a NAT gateway or endpoints"
        return f"if it stays so: do its subnets have {route}, and how large is its image? {known.invoke('status')}"

    def _drain(self, task: Task, tail: Tail, form: Form) -> None:
        """Read what is logged after the end: to the last line of the runtime, or until the log is quiet."""
        if not self.show or not ending.has_run(task):
            return
        quiet_since = self.effects.clock()
        while not tail.said and self.effects.clock() - quiet_since < shortened(self.patience.quiet):
            if self._show(tail, form):
                quiet_since = self.effects.clock()
            elif not tail.said:
                self.effects.pause(self.patience.first)
                if self.attention.came():
                    return

    def _result(self, task: Task, said: str) -> Ending:
        """The result; `again` only where nobody stopped the task, and its container has not started."""
        if ending.has_run(task) and ending.exit_code(task) is None:
            how = record.find(self.cluster, id_of(self.arn)).ending
            return how or ending.explain(task, self.cluster.known, said)
        how = ending.explain(task, self.cluster.known, said)
        again = how.again and self.told_to_stop is None and task.get("stopCode") == ending.NOT_STARTED
        return replace(how, again=again and not ending.has_run(task))

    def _handle_signal(self) -> Left | None:
        """Detach, or stop the task and keep watching."""
        answer = self.attention.wanted()
        if answer == "stop":
            self.attention.number = 0
            self.stop()
        return Left(id_of(self.arn), self.told_to_stop is not None) if answer == "detach" else None

    def stop(self) -> None:
        """Stop the task once; where ECS does not know it yet, as soon as it does."""
        if self.told_to_stop is not None:
            return
        if tasks.stop(self.cluster, self.arn, BY_USER):
            self.told_to_stop, self.to_stop = self.effects.clock(), False
            self.effects.say(f"stop requested; it has {self.cluster.known.stop_timeout} s")
        elif not self.to_stop:
            self.to_stop = True
            self.effects.say("ECS does not know the task at present; it is stopped as soon as it does")


def run(
    cluster: Cluster, request: Mapping[str, Any], watch: Callable[[str], Watch], effects: start.Effects
) -> tuple[str, Ending | Left]:
    """Start a task and watch it, at most STARTS times where it never runs; its ARN and the result."""
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
        effects.say(f"{found.words}\nretry ({attempt + 1} of {STARTS})")
        effects.check()
    raise AssertionError
