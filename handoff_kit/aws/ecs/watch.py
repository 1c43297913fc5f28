"""Watch an execution and each task that it starts: print states, log and retries, detach or stop on a signal."""

from __future__ import annotations

import json
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TextIO

from handoff_kit import console
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import (
    ENDED_EVENTS,
    FAILED_EVENTS,
    TASK_FAILED,
    Event,
    ExecutionHistory,
    TaskHooks,
    describe_failure,
    execution_name,
    start_error,
    stop_execution,
    submitted_task,
)
from handoff_kit.aws.ecs.log_stream import LogFormatter, LogTail
from handoff_kit.aws.ecs.stop_reasons import (
    TaskResult,
    exit_code,
    explain_stop,
    has_started,
    is_restarted,
    is_stopped,
)
from handoff_kit.aws.ecs.task_observer import PATIENT, Absence, TaskObserver, find_stored_run, hint_for_running_task
from handoff_kit.aws.ecs.tasks import Task, stop_task, task_id
from handoff_kit.console import Say
from handoff_kit.errors import AWSError
from handoff_runtime.aws import errors
from handoff_runtime.polling import interval
from handoff_runtime.supervisor.signals import STOPPING, Signals

Answer = Literal["detach", "stop"]
QUESTION = "\ndetach and leave the task running (d), stop it (s), or keep watching (Enter)? "
RUNNING = "RUNNING"
STARTING_STATUSES = ("PROVISIONING", "PENDING", "ACTIVATING")


@dataclass
class InterruptPrompt:
    """Pauses that a signal ends; every signal but SIGINT on a terminal detaches. `number` is the signal received."""

    signals: Signals = field(default_factory=Signals)
    answers: TextIO | None = field(default_factory=lambda: sys.stdin)
    number: int = 0

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until a signal comes."""
        if not self.number:
            select.select([self.signals.fd], [], [], interval(seconds))

    def interrupted(self) -> bool:
        """Whether a signal has come that is not answered yet."""
        self.number = next((number for number in self.signals.take() if number in STOPPING), self.number)
        return bool(self.number)

    def answer(self) -> Answer | None:
        """What to do; None where no signal has come, or the answer is to keep watching.

        A second signal, or the end of the input, detaches.
        """
        if not self.interrupted():
            return None
        answers = self.answers
        is_terminal = answers is not None and not answers.closed and answers.isatty() and sys.stderr.isatty()
        if self.number != signal.SIGINT or answers is None or not is_terminal:
            return "detach"
        console.discard_typed_ahead(answers)
        console.prompt(QUESTION)
        sources: list[int | TextIO] = [self.signals.fd, answers]
        ready = select.select(sources, [], [])[0]
        if self.signals.fd in ready:  # a second signal
            self.interrupted()
            console.prompt("\n")
            return "detach"
        line = answers.readline()
        word = line.strip().lower()
        if not line or word in ("d", "detach"):
            return "detach"
        if word in ("s", "stop"):
            return "stop"
        self.number = 0
        return None

    @property
    def exit_code(self) -> int:
        """That of a program ended by the signal."""
        return 128 + self.number


@dataclass(frozen=True)
class Timeouts:
    """Seconds between polls (`first`, `longest`), until a slow start is reported, and until it is stopped.

    `quiet`: how long a log may be silent after the end of its task until it counts as complete; `stopping`: how long
    a task may take to stop after its stop timeout.
    """

    first: float = 1.0
    longest: float = 3.0
    report_start: float = 120.0
    start: float = 900.0
    quiet: float = 10.0
    stopping: float = 120.0
    absence: Absence = PATIENT


@dataclass(frozen=True)
class Detached:
    """Detached from a task, or from an execution that has none; `stopping` where ECS has accepted StopTask."""

    stopping: bool = False


@dataclass
class TaskWatch:
    """A task, and the execution that has started it, if any.

    `show` prints lines of the log, which is not read without it; `stop_requested_at` is when StopTask succeeded.
    """

    tasks: ProjectTasks
    arn: str
    hooks: TaskHooks
    prompt: InterruptPrompt
    show: Say | None
    timeouts: Timeouts = Timeouts()
    execution: str = ""
    state: str = ""
    slow: bool = False
    has_run: bool = False
    to_stop: bool = False
    stop_requested_at: float | None = None

    def wait(self) -> TaskResult | Detached:
        """The result of the task, once its log is read; Detached after detaching."""
        try:
            return self._poll_until_ended()
        except AWSError as error:
            if not (error.passing or error.hint == errors.RUN_AGAIN):
                raise
            raise AWSError(error.message, hint_for_running_task(self.tasks, task_id(self.arn))) from None

    def _poll_until_ended(self) -> TaskResult | Detached:
        stream = self.tasks.log_stream(task_id(self.arn))
        tail, form = LogTail(self.tasks.target, self.tasks.log_group, stream), LogFormatter()
        start, wait = self.hooks.clock(), self.timeouts.first
        observer = TaskObserver(self.tasks, task_id(self.arn), self.hooks.say, self.hooks.clock, self.timeouts.absence)
        while True:
            task = observer.look()
            if isinstance(task, TaskResult):
                self._show(tail, form)
                return task
            if task:
                self._report_state(task, start)
            if self.has_run:
                self._show(tail, form)
            if task and is_stopped(task):
                self._drain(task, tail, form)
                return self._result(task, tail.last_line)
            self.hooks.pause(wait)
            wait = min(self.timeouts.longest, wait * 1.25)
            answer = self.prompt.answer()
            if answer == "detach":
                return Detached(self.stop_requested_at is not None)
            if answer == "stop":
                self.prompt.number = 0
                self.stop()
            if self.to_stop:
                self.stop()

    def _show(self, tail: LogTail, form: LogFormatter) -> bool:
        """Print new lines of the log; whether there were any. A log that cannot be read now is read later."""
        try:
            events = tail.read() if self.show else []
        except AWSError as error:
            if not error.passing:
                raise
            self.hooks.say(error.message)
            events = []
        if events and self.show:
            self.show(form.lines(events))
        return bool(events)

    def _report_state(self, task: Task, start: float) -> None:
        """Print a new state; give up on a start or a stop that takes too long."""
        state, waited = str(task["lastStatus"]), self.hooks.clock() - start
        self.has_run = self.has_run or state not in STARTING_STATUSES
        if state != self.state:
            self.state = state
            self.hooks.say(f"{state} after {waited:.0f} s")
        if not self.has_run and self.stop_requested_at is None:
            if waited > self.timeouts.start and stop_task(self.tasks, self.arn, "did not start in time"):
                message = f"task {task_id(self.arn)}: still {self.state} after {waited:.0f} s, and so stopped"
                raise AWSError(f"{message}; expected it to run", self._hint_for_slow_start())
            if waited > self.timeouts.report_start and not self.slow:
                self.slow = True
                self.hooks.say(f"still {self.state} after {waited:.0f} s; {self._hint_for_slow_start()}")
        if self.stop_requested_at is not None:
            waited = self.hooks.clock() - self.stop_requested_at
            if waited > self.tasks.stop_timeout + self.timeouts.stopping:
                message = f"task {task_id(self.arn)}: still {self.state} {waited:.0f} s after its stop was requested"
                raise AWSError(message, self.tasks.invoke("status"))

    def _hint_for_slow_start(self) -> str:
        internet = "a route to the internet (public_ip, or a NAT gateway)"
        route = internet if self.tasks.public_ip else "a NAT gateway or endpoints"
        return f"if it stays so: do its subnets have {route}, and how large is its image? {self.tasks.invoke('status')}"

    def _drain(self, task: Task, tail: LogTail, form: LogFormatter) -> None:
        """Read what is logged after the end: to the last line of the runtime, or until the log is quiet."""
        if not self.show or not has_started(task):
            return
        quiet_since = self.hooks.clock()
        while not tail.last_line and self.hooks.clock() - quiet_since < self.timeouts.quiet:
            if self._show(tail, form):
                quiet_since = self.hooks.clock()
            elif not tail.last_line:
                self.hooks.pause(self.timeouts.first)
                if self.prompt.interrupted():
                    return

    def _result(self, task: Task, last_line: str) -> TaskResult:
        """The result; `retryable` where the state machine starts another task, and that may succeed."""
        is_lost = has_started(task) and exit_code(task) is None
        stored = find_stored_run(self.tasks, task_id(self.arn)).ending if is_lost else None
        result = stored or explain_stop(task, self.tasks, last_line)
        restarted = is_restarted(task) and self.stop_requested_at is None
        return replace(result, retryable=restarted and (result.ran or result.retryable))

    def stop(self) -> None:
        """Stop the task once; where ECS does not know it yet, as soon as it does."""
        if self.stop_requested_at is not None:
            return
        if stop_task(self.tasks, self.arn, "stopped by invoke"):
            self.stop_requested_at, self.to_stop = self.hooks.clock(), False
            if self.execution:  # else it would end as failed
                stop_execution(self.tasks.target, self.execution)
            self.hooks.say(f"stop requested; it has {self.tasks.stop_timeout} s")
        elif not self.to_stop:
            self.to_stop = True
            self.hooks.say("ECS does not know the task at present; it is stopped as soon as it does")


@dataclass
class ExecutionWatch:
    """`watch` makes the watch of a task; without it only the start of the first task is waited for.

    `subject` is the id of the last task, or the name of the execution until it has started one; `reason` says why there
    is to be another one.
    """

    tasks: ProjectTasks
    execution: str
    hooks: TaskHooks
    prompt: InterruptPrompt
    watch: Callable[[str], TaskWatch] | None
    timeouts: Timeouts = Timeouts()
    subject: str = ""
    result: TaskResult | None = None
    reason: str = ""

    def wait(self) -> TaskResult | Detached:
        """The result of the last task; AWSError where none was started."""
        name = self.subject = execution_name(self.execution)
        history, wait = ExecutionHistory(self.tasks.target, self.execution), self.timeouts.first
        start = self.hooks.clock()
        while True:
            for event in self._read(history):
                if result := self._take(event):
                    return result
            if not history.last and self.hooks.clock() - start > self.timeouts.absence.record:
                raise AWSError(f"execution {name}: Step Functions does not know it", self.tasks.invoke("status"))
            self.hooks.pause(wait)
            wait = min(self.timeouts.longest, wait * 1.25)
            answer = self.prompt.answer()
            if answer == "detach":
                self.subject = name
                return Detached()
            if answer == "stop":
                self.prompt.number = 0
                stop_execution(self.tasks.target, self.execution)

    def _read(self, history: ExecutionHistory) -> list[Event]:
        """The new events; where they cannot be read, the execution continues."""
        try:
            return history.read()
        except AWSError:
            name = execution_name(self.execution)
            stop = f"{self.tasks.invoke('stop')} --task {name}"
            self.hooks.say(f"execution {name} is no longer watched, and may start a task; to stop it: {stop}")
            raise

    def _take(self, event: Event) -> TaskResult | Detached | None:
        """What an event means for the run: a task to watch, a line to print, or its end."""
        error, reason = describe_failure(event)
        entered = event.get("stateEnteredEventDetails", {})
        if task := submitted_task(event):
            self.subject = task_id(task)
            self.hooks.say(f"started task {self.subject}")
            return self._result_of(self.watch(task)) if self.watch else Detached()
        if event["type"] in FAILED_EVENTS and error not in {"", TASK_FAILED}:
            self.reason, self.result = f"not started: {reason}", None
        elif event["type"] == "WaitStateEntered":
            retry = json.loads(entered["input"])["retry"]
            again = f"starting it again in {retry['wait']} s (attempt {retry['tries'] + 1})"
            self.hooks.say(f"{self.reason}\n{again}")
        elif entered.get("name") == "OnDemand":
            self.hooks.say(f"{self.reason}\nstarting it on demand")
        elif event["type"] in ENDED_EVENTS:
            return self._last_result(event["type"], reason)
        return None

    def _result_of(self, watch: TaskWatch) -> TaskResult | Detached | None:
        """The result of a task; None where the machine starts another one."""
        try:
            result = watch.wait()
        except AWSError:
            stop = f"{self.tasks.invoke('stop')} --task {self.subject}"
            self.hooks.say(f"task {self.subject} is no longer watched, and may still run; to stop it: {stop}")
            raise
        if isinstance(result, Detached):
            return result
        if result.retryable:
            self.result, self.reason = result, result.sentence
            return None
        if not result.ran:  # the machine knows nothing of reasons, and would try it again
            stop_execution(self.tasks.target, self.execution)
        return result

    def _last_result(self, event: str, reason: str) -> TaskResult:
        """The result of an execution that ended while no task was watched."""
        if event == "ExecutionAborted":
            self.subject = execution_name(self.execution)
            return TaskResult(128 + signal.SIGTERM, "was stopped while it had no task", ran=False)
        if self.result:
            return self.result
        if self.reason:
            raise start_error(self.tasks, f"task of {self.tasks.family}", self.reason)
        raise start_error(self.tasks, f"execution {self.subject}: {event}", reason)
