"""The history of runs in AWS: lines in S3, joined with the executions that started them, and with what was missed.

A run writes its own line at its end. One that never started, was killed with its runtime, or is under way has none: its
row comes from its execution. Lines name their execution; those of runtimes before do not, and are matched by time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from handoff_kit.aws import dead_letters, history
from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.execution_outcome import (
    FAILED,
    KILLED,
    RUNNING,
    STOPPED,
    TIMED_OUT,
    ExecutionOutcome,
    explain_events,
)
from handoff_kit.aws.ecs.executions import ListedExecution, execution_arn, list_newest_executions, read_events
from handoff_kit.aws.history import HistoryLine, HistoryQuery, HistorySource
from handoff_kit.errors import AWSError
from handoff_kit.text import duration, table, timestamp
from handoff_runtime import record
from handoff_runtime.masking import Mask
from handoff_runtime.terminal import safe_name

MOST_EXPLAINED = 3
"""Executions whose events are read for a list, a call each."""
MISSED = "missed"
UNDER_WAY = (RUNNING, "waiting")
T = TypeVar("T")
_OUTCOMES = {"RUNNING": RUNNING, "TIMED_OUT": TIMED_OUT, "ABORTED": STOPPED}


@dataclass(frozen=True)
class Run:
    """A row of the history; `execution` is set where its events say more than its line, which is `recorded` or not."""

    line: HistoryLine
    execution: ListedExecution | None = None
    recorded: bool = True


@dataclass(frozen=True)
class RunHistory:
    """Rows, the newest first; `notes` say what could not be read, `missed` is how many schedules were, at least."""

    lines: tuple[HistoryLine, ...]
    notes: tuple[str, ...] = ()
    missed: int = 0


def join_executions(lines: Sequence[HistoryLine], executions: Sequence[ListedExecution], environment: str) -> list[Run]:
    """Lines with their executions, and a row for each execution that has no line; the newest first. Pure.

    An execution that succeeded has one. A line that names no execution is of a runtime before, or of a workstation; the
    former is that of the one execution within whose time it began.
    """
    by_name = {execution.name: execution for execution in executions}
    runs = []
    for line in lines:
        own = by_name.get(str(line.get("execution")))
        is_unexplained = line.get("outcome") in (RUNNING, KILLED) and not line.get("reason")
        has_failed = own is not None and own.status not in ("RUNNING", "SUCCEEDED")
        runs.append(Run(line, own if is_unexplained and has_failed else None))
    named = {line.get("execution") for line in lines}
    old = [line for line in lines if not line.get("execution") and line.get("trigger") != "local"]
    for execution in executions:
        if execution.name in named or execution.status == "SUCCEEDED" or _is_matched(execution, old):
            continue
        runs.append(Run(_line_of(execution, environment), execution, recorded=False))
    return sorted(runs, key=lambda run: str(run.line["started_at"]), reverse=True)


def _is_matched(execution: ListedExecution, old: Sequence[HistoryLine]) -> bool:
    start = record.timestamp(execution.started)
    end = record.timestamp(execution.ended) if execution.ended else "9"
    return sum(start <= str(line["started_at"]) <= end for line in old) == 1


def _line_of(execution: ListedExecution, environment: str) -> dict[str, Any]:
    """The row of an execution by its listing alone."""
    ended = execution.ended
    return history.unrecorded_line(
        run_id=execution.name,
        environment=environment,
        started_at=record.timestamp(execution.started),
        ended_at=record.timestamp(ended) if ended else None,
        seconds=round(ended - execution.started, 3) if ended else None,
        outcome=_OUTCOMES.get(execution.status, FAILED),
        execution=execution.name,
    )


def add_outcome(run: Run, outcome: ExecutionOutcome, mask: Mask) -> HistoryLine:
    """The row of a run with what the events of its execution say; what it recorded itself counts more. Pure."""
    reason = mask.mask_text(outcome.reason) or None
    if run.recorded:
        return {**run.line, "outcome": KILLED, "reason": reason}
    return {
        **run.line,
        "command": outcome.given.command,
        "trigger": outcome.given.trigger or None,
        "outcome": outcome.outcome,
        "exit": outcome.exit,
        "reason": reason,
        "schedule": outcome.given.schedule,
        "data": mask.mask_data(outcome.given.data),
    }


def read_run_history(
    tasks: ProjectTasks,
    source: HistorySource,
    query: HistoryQuery,
    mask: Mask,
    keep: Callable[[Run], bool] = lambda _: True,
) -> RunHistory:
    """The runs of a query: lines, executions and dead letters, read at the same time; few executions are explained.

    What may not be read is named in the notes. `mask` is for what was never masked: the input of executions. `keep`
    is a condition on rows besides the query.
    """
    notes: list[str] = []

    def attempt(read: Callable[[], Sequence[T]], missing: str) -> Sequence[T]:
        try:
            return read()
        except AWSError as error:
            notes.append(f"note: {error.message}; {missing}" + (f"\nhint: {error.hint}" if error.hint else ""))
            return ()

    missing = "missed schedules are not shown"
    queue = attempt(lambda: dead_letters.find_queue(tasks.target) or "", missing)
    with ThreadPoolExecutor(1) as pool:  # an empty queue answers after a second
        missed = pool.submit(attempt, lambda: dead_letters.peek(tasks.target, str(queue)) if queue else (), missing)
        lines = history.list_runs(source, query)
        executions = attempt(lambda: _list_executions(tasks, query), "runs without a record are not shown")
        letters = missed.result()
    environment = tasks.target.environment
    runs = join_executions(lines, executions, environment)
    runs += [Run(dead_letters.history_line(letter.masked(mask), environment)) for letter in letters]
    runs = [run for run in runs if query.matches(run.line) and keep(run)]
    runs.sort(key=lambda run: str(run.line["started_at"]), reverse=True)
    shown = runs[: query.last]
    explained = attempt(lambda: list(_explain(shown, tasks, mask)), "their reasons are not shown")
    return RunHistory(tuple(explained) or tuple(run.line for run in shown), tuple(notes), len(letters))


def read_latest(tasks: ProjectTasks, entry: HistoryLine | None, mask: Mask) -> RunHistory:
    """What `entry`, the last line of the history, does not hold: newer runs, and those under way."""
    since = str(entry["started_at"]) if entry else ""
    source = history.single_line(entry)

    def is_news(run: Run) -> bool:
        return run.recorded or run.line["outcome"] == RUNNING or str(run.line["started_at"]) > since

    return read_run_history(tasks, source, HistoryQuery(), mask, is_news)


def _list_executions(tasks: ProjectTasks, query: HistoryQuery) -> Sequence[ListedExecution]:
    """As many as can be shown: of all runs so many rows are the newest ones; of a part of them more are needed."""
    if not tasks.machine:
        hint = tasks.invoke("deploy")
        raise AWSError(f"stack {tasks.target.name}: an earlier version deployed it, without a state machine", hint)
    is_all = not query.failed and not query.since and query.last
    found = list_newest_executions(tasks, query.last if is_all and query.last else 1000)
    if found is None:
        name = tasks.machine.rpartition(":")[2]
        raise AWSError(f"state machine {name}: found none, it was deleted", tasks.invoke("deploy --repair"))
    return found


def _explain(runs: Sequence[Run], tasks: ProjectTasks, mask: Mask) -> Iterator[HistoryLine]:
    """The rows, with the outcomes of the newest unexplained executions; the rest name a command that prints theirs."""
    left = MOST_EXPLAINED
    for run in runs:
        if run.execution and left:
            left -= 1
            yield add_outcome(run, explain_events(read_events(tasks.target, run.execution.arn), tasks), mask)
        elif run.execution and run.line["outcome"] != RUNNING:
            yield {**run.line, "reason": f"see why: {show_command(run.execution.name, tasks)}"}
        else:
            yield run.line


def show_command(execution: str, tasks: ProjectTasks) -> str:
    return f"invoke history.show --run {execution} --remote {tasks.target.options}"


def reason_lines(lines: Sequence[HistoryLine]) -> Iterator[str]:
    """A line for each run whose reason no other column of the table shows."""
    for line in lines:
        has_record = line["run_id"] not in (None, line.get("execution"))
        if line.get("reason") and (not has_record or line.get("outcome") == KILLED):
            name = line["run_id"] or f"schedule {line['schedule']} of {str(line['started_at'])[:19]}Z"
            yield f"{name} {'was ' if line['outcome'] == MISSED else ''}{line['outcome']}: {line['reason']}"


@dataclass(frozen=True)
class ExecutionReport:
    """An execution with its outcome: what `history.show` prints of a run without a record."""

    line: HistoryLine
    outcome: ExecutionOutcome
    project: str = field(default="")


def read_execution(tasks: ProjectTasks, name: str, mask: Mask) -> ExecutionReport | None:
    """An execution by its name; None where Step Functions does not know it."""
    if not tasks.machine:
        return None
    arn = execution_arn(tasks, name)
    events = read_events(tasks.target, arn)
    if not events:
        return None
    outcome = explain_events(events, tasks)
    started, last = (float(event["timestamp"].timestamp()) for event in (events[0], events[-1]))
    ended = None if outcome.outcome in UNDER_WAY else last
    run = Run(_line_of(ListedExecution(arn, "", started, ended), tasks.target.environment), recorded=False)
    steps = tuple((moment, mask.mask_text(text)) for moment, text in outcome.steps)
    return ExecutionReport(add_outcome(run, outcome, mask), replace(outcome, steps=steps), tasks.target.project)


def format_execution(report: ExecutionReport) -> str:
    """The facts of an execution, then its starts and their ends."""
    line, steps = report.line, report.outcome.steps
    code = "" if line["exit"] is None else f", exit {line['exit']}"
    facts = [
        ("run", line["run_id"]),
        ("project", f"{report.project} ({line['environment']})"),
        ("started", f"{line['started_at']}, by {history.describe_trigger(line)}"),
        ("outcome", f"{line['outcome']}{code}" + (f": {line['reason']}" if line["reason"] else "")),
        ("duration", duration(line["seconds"])),
    ]
    if text := history.data_text(line):
        facts.append(("data", text))
    head = "".join(f"{name:<9} {safe_name(value)}\n" for name, value in facts)
    return f"{head}\n{table(('TIME', 'EVENT'), ((timestamp(moment), text) for moment, text in steps))}"


def report_as_json(report: ExecutionReport) -> Mapping[str, Any]:
    """The row of its history, with its events and the hint."""
    events = [{"time": timestamp(moment), "event": text} for moment, text in report.outcome.steps]
    return {**report.line, "hint": report.outcome.hint, "events": events}


def reason_of_killed(tasks: ProjectTasks, found: Mapping[str, Any], mask: Mask) -> tuple[str, str | None]:
    """Reason and hint of a run whose record ends in its midst, by its execution; empty where that says nothing."""
    if found.get("outcome") not in (RUNNING, KILLED) or not found.get("execution"):
        return "", None
    report = read_execution(tasks, str(found["execution"]), mask)
    return (str(report.line["reason"] or ""), report.outcome.hint) if report else ("", None)
