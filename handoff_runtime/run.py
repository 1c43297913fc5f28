"""One run of a pipeline, or of a function of impl.py, from its params to its record.

`run` calls the stages in this order; `store` is the working directory, or AWS (see `store.Store`).

| stage | in | out |
|---|---|---|
| plan | request, params, environment | run id; the pipeline without placeholders; the mask of its secrets |
| acquire | the record of a run that begins | the lock of the working directory, and of the project in the store |
| fetch | the store | `.env/config`, `.env/files`, `.artifacts` and the state in the working directory |
| start | the state | `.artifacts/run.json`, which says `running`; `{}` as state where a tap needs one |
| supervise | commands, signals, time | how each stage ended; `.artifacts/stdout.log` and `stderr.log` |
| describe_result | how each stage ended | the outcome, of `outcome.decide`; the stage to blame, and why |
| keep_state | the outcome, `stdout.log` | the state in the working directory, where the run earned it |
| store | outcome, artifacts, state | what the next run begins with, the state last |
| record | outcome, figures | run.json, a line in the history, the last line of the log; the exit code |
| announce | the record | in AWS: what people are notified of, and by when the next run must succeed |
| release | the locks, by who called | |
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from handoff_runtime import history, masking, overlap, placeholders, record, s3_keys, state, workspace
from handoff_runtime.annotations import Any
from handoff_runtime.errors import HandoffError, StartError, StoreError, UsageError, mark_inserted, resource_error
from handoff_runtime.log import Log
from handoff_runtime.masking import Mask
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.params import Params
from handoff_runtime.pipeline import RUNTIME_NAME, Pipeline
from handoff_runtime.store import Store
from handoff_runtime.supervisor import open_files, orphans, outcome, process, syscalls
from handoff_runtime.supervisor.event_loop import EventLoop
from handoff_runtime.supervisor.line_count import RecordCounter
from handoff_runtime.supervisor.oom import OomDetector
from handoff_runtime.supervisor.outcome import Outcome
from handoff_runtime.supervisor.process import Command
from handoff_runtime.supervisor.progress import Progress
from handoff_runtime.supervisor.shutdown import grace_seconds
from handoff_runtime.supervisor.signals import STOPPING, Signals
from handoff_runtime.supervisor.supervisor import PipelineResult, StageFigures, Supervisor, SupervisorSettings
from handoff_runtime.supervisor.watchdog import MARK, Watchdog

RUN = "run"
LOG_FD = 2
LONGEST_LINE = 200  # characters of a stage's output in a message
LAST_LINES, LAST_BYTES = 20, 1 << 14  # of the stdout of a stage that failed without a word on stderr
DRAIN = 5.0
_OLD_SETUPTOOLS = "its package needs an older setuptools: add `setuptools<81` to its venv, then: invoke install"
_OLD_PYTHON = "its package is for Python 3.9 or earlier: take another one; for target-csv: meltanolabs-target-csv"
OLD_PACKAGES = {
    b"No module named 'pkg_resources'": _OLD_SETUPTOOLS,  # not in a venv, and not in setuptools from 82 on
    b"No module named 'distutils'": _OLD_SETUPTOOLS,  # gone from Python 3.12
    b"module 'collections' has no attribute": _OLD_PYTHON,  # MutableMapping and others, gone from Python 3.10
    b"from 'collections' (": _OLD_PYTHON,
}


class RunRequest(NamedTuple):
    """What the command line asks of a run; `meter` overrides the project's; `progress_fd` is for figures.

    With `lifeline` the run stops when our standard input ends; with `no_state` it neither reads nor replaces the state.
    """

    command: str
    data: Mapping[str, Any]
    meter: str | None
    log_format: str
    progress_fd: int | None
    lifeline: bool = False
    no_state: bool = False


class RunContext(NamedTuple):
    """What a run knows before it acts; the placeholders of `pipeline` are filled, `environ` is our own environment."""

    request: RunRequest
    params: Params
    pipeline: Pipeline
    environ: Mapping[str, str]
    settings: SupervisorSettings
    run_start: record.RunStart
    mask: Mask
    reads_state: bool  # whether a stage is given the state file

    def masked(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A record as it may be written."""
        return record.mask_record(document, self.mask)


def run(request: RunRequest, params: Params, environ: Mapping[str, str], signals: Signals, store: Store) -> int:
    """Run the pipeline, or one function, and leave its state and record; the exit code. The caller releases the store.

    HandoffError where it ends before its record does.
    """
    context = plan(request, params, environ, store.grace_share)
    try:
        lock = acquire(context, signals, store)
    except overlap.RunDeclined as declined:
        not_begun = {**record.start_record(context.run_start, None, environ), **declined.fields}
        store.append_history(context.masked(not_begun))
        return declined.exit_code
    log, ended = fetch(context, store)
    document, seeded, ended = start(context, log, ended)
    ended, replaced = keep_state(context, ended or supervise(context, signals, store, log, lock), log)
    if seeded and not replaced:
        state.remove_empty_state()
    return record_run(context, document, ended, log, store, replaced=replaced)


def plan(request: RunRequest, params: Params, environ: Mapping[str, str], grace_share: float) -> RunContext:
    """Give the run an id, and fill its placeholders."""
    now, data = time.time(), request.data
    whole = params.pipeline._replace(meter=request.meter or params.pipeline.meter)
    scheduled_at = placeholders.scheduled_at(data, now)
    run_id = str(data.get("run_id") or record.new_run_id(now))
    if not s3_keys.is_run_id(run_id):  # it names directories, and keys in S3
        rule = f"at most {s3_keys.LONGEST_ID} letters, digits, -, _ and ., not beginning with a dot"
        shown = mark_inserted(repr(run_id)) if len(run_id) <= s3_keys.LONGEST_ID else f"of {len(run_id)} characters"
        raise UsageError(f"data: run_id {shown} found, {rule} expected")
    if request.command != RUN:
        from handoff_runtime import functions

        whole = functions.function_pipeline(whole, request.command)
    if whole.expect.rows_at_least and whole.meter != "rows":
        message = f"meter: {whole.meter} found, rows expected: expect.rows_at_least is a number of rows"
        raise UsageError(message, "count rows: --meter rows; or take rows_at_least out of project.yml")
    pipeline = placeholders.fill_pipeline(whole, data, run_id, scheduled_at)
    read_whole, minimum = pipeline.state == state.SINGER, pipeline.expect.rows_at_least
    records = None
    if minimum and read_whole and len(pipeline.stages) > 1:
        from handoff_runtime.collector_stats import Count

        records = RecordCounter(Count(), minimum)
    if request.no_state:
        pipeline = pipeline._replace(state=state.NONE)
    trigger = str(data.get("trigger") or environ.get("TRIGGER") or "local")
    return RunContext(
        request,
        params,
        pipeline,
        environ,
        SupervisorSettings(pipeline.meter, grace_seconds(environ) * grace_share, read_whole, records=records),
        record.RunStart(run_id, request.command, trigger, scheduled_at.timestamp(), now, data, pipeline),
        masking.mask_for_run(params, pipeline, environ, data),
        any(state.reads_state(stage.argv, stage.envs) for stage in pipeline.stages),
    )


def acquire(context: RunContext, signals: Signals, store: Store) -> int:
    """Take the working directory, then the project where other machines see it; the descriptor of the former's lock."""
    mode, log = context.pipeline.overlap, _open_log(context, os.open(os.devnull, os.O_WRONLY))
    lock = overlap.acquire(mode, workspace.lock_directory, signals, log.say)
    document = context.masked(record.start_record(context.run_start, None, context.environ))
    store.claim_occurrence(document, _inserting(log))
    overlap.acquire(mode, lambda: store.acquire(document, _inserting(log)), signals, log.say)
    return lock


def fetch(context: RunContext, store: Store) -> tuple[Log, record.RunEnd | None]:
    """Prepare the working directory; the log, and how the run ended where the store ended it."""
    state.restore()
    notes = [*history.append_missing_run(), *workspace.prepare(context.params.files, store.local_files)]
    log = _open_log(context, workspace.create_file(workspace.STDERR))
    for note in notes:
        log.say(mark_inserted(note))
    try:
        store.fetch(_inserting(log), with_state=not context.request.no_state)
    except overlap.RunDeclined as stopped:
        return log, record.RunEnd(Outcome("stopped", stopped.exit_code, ()), reason=str(stopped))
    except HandoffError as error:
        log.say(error.for_log())
        return log, record.RunEnd(Outcome("failed", error.exit_code, ()), reason=error.marked)
    return log, None


def start(
    context: RunContext, log: Log, ended: record.RunEnd | None
) -> tuple[dict[str, Any], bool, record.RunEnd | None]:
    """Write the record of a run that begins, and give it a state.

    Returns the record, whether the state is an empty one, and how the run ended where it has.
    """
    before = state.snapshot()
    if before and not before.bytes:
        log.say(f"note: {workspace.STATE} is empty, so this run begins without a state")
    document = record.start_record(context.run_start, before, context.environ)
    record.write_record(document, context.mask)
    try:
        if context.request.no_state:
            state.set_aside()
        return document, state.create_empty_state(context.pipeline.state, given=context.reads_state), ended
    except StoreError as error:
        log.say(error.for_log())
        return document, False, ended or record.RunEnd(Outcome("failed", error.exit_code, ()), reason=error.marked)


def supervise(context: RunContext, signals: Signals, store: Store, log: Log, lock: int) -> record.RunEnd:
    """Run the stages while the store keeps the project ours; a project that another run took over is a failure."""
    # what a target emits counts only once enough rows have passed
    store.begin_stages(state.NONE if context.pipeline.expect.rows_at_least else context.pipeline.state)
    ended = execute(context, signals, log, lock)
    error = store.end_stages()
    return _failed(ended, error) if error else ended


def execute(context: RunContext, signals: Signals, log: Log, lock: int) -> record.RunEnd:
    """Run the stages and judge them; what keeps them from running is an outcome too."""
    early = [number for number in signals.take() if number in STOPPING]
    if early:
        return record.RunEnd(Outcome("stopped", 128 + early[0], ()), reason="stopped before it began")
    stages = context.pipeline.stages
    try:
        commands = [process.find_command(stage, context.environ) for stage in stages]
        memory = OomDetector()
        ended = describe_result(context, run_stages(context, commands, signals, log, lock), memory)
        ended = _expect_rows(context, ended, log)
    except (HandoffError, OSError, MemoryError) as caught:
        error = caught if isinstance(caught, HandoffError) else resource_error(caught)
        log.say(error.for_log())
        culprit = error.stage if isinstance(error, StartError) else None
        return record.RunEnd(Outcome("failed", error.exit_code, ()), culprit, error.marked)
    name, failed = stages[-1].name, ended.outcome.verdicts[-1] == outcome.FAILED
    silent = failed and ended.figures[-1].silent  # some programs (dbt) say on stdout why they failed
    if silent and (output := workspace.tail(workspace.STDOUT, LAST_LINES, LAST_BYTES)):
        log.say(f"stage {name} failed without a word on stderr; its stdout ({workspace.STDOUT}) ends like this:")
        log.feed(name, output)
        log.end(name)
    if ended.culprit and (hint := _hint_of_old_package()):
        log.say(f"hint: stage {ended.culprit}: {hint}")
    if ended.outcome.exit == outcome.EXIT_UNREAD and not ended.keeps_state:
        log.say("hint: a target must read its input to the end; for one that need not, write `state: all`")
    return ended


def _hint_of_old_package() -> str:
    """The remedy for a package that the end of the log shows to be written for an older Python, or nothing."""
    try:
        last = workspace.tail(workspace.STDERR, LAST_LINES, LAST_BYTES)
    except StoreError:  # a stage may have removed it
        return ""
    return next((hint for text, hint in OLD_PACKAGES.items() if text in last), "")


def run_stages(
    context: RunContext, commands: Sequence[Command], signals: Signals, log: Log, lock: int
) -> PipelineResult:
    """Start the stages, watch them, and wait until nothing of them is left."""
    request, pipeline = context.request, context.pipeline
    settings = context.settings._replace(open_files=open_files.raise_limit(len(commands), pipeline.meter))
    if request.command == RUN:  # nothing to read, so that a run is the same where there is no terminal
        stdin = os.open(os.devnull, os.O_RDONLY)
    else:
        from handoff_runtime import functions

        stdin = functions.open_arguments(context.params.document, request.data)
    stdout = workspace.create_file(workspace.STDOUT)
    syscalls.adopt_orphans()
    poller, watchdog = EventLoop(), Watchdog(lock, len(commands), context.environ)
    commands = [each._replace(environ={**each.environ, MARK: watchdog.mark}) for each in commands]
    progress = None if request.progress_fd is None else Progress(request.progress_fd, poller, signals)
    if request.lifeline:
        orphans.watch_lifeline(poller, signals)
    names = " | ".join(stage.name for stage in pipeline.stages)
    log.say(f"run {context.run_start.run_id} of {pipeline.project}: {names}")
    try:
        execution = Supervisor(settings, poller, signals, watchdog, log, progress.write if progress else None)
        return execution.run(commands, stdin, stdout)
    finally:
        os.close(stdin)
        os.close(stdout)
        watchdog.stop()


def describe_result(context: RunContext, result: PipelineResult, memory: OomDetector) -> record.RunEnd:
    """Decide the outcome from how each stage ended, and say why in words."""
    endings = [figures.ending for figures in result.figures if figures.ending]
    judged = outcome.decide(endings, result.signal)
    figures: Sequence[StageFigures] = result.figures
    if (meter := context.pipeline.meter) != "off":  # what the last stage wrote went through no link
        size, rows = workspace.measure(workspace.STDOUT, count_rows=meter == "rows")
        figures = (*figures[:-1], figures[-1]._replace(bytes_out=size, rows_out=rows))
    if judged.culprit is None:
        reason = f"stopped by {outcome.signal_name(result.signal)}" if result.signal else None
        return record.RunEnd(judged, reason=reason, figures=figures)
    name, ending = context.pipeline.stages[judged.culprit].name, endings[judged.culprit]
    # The exit code, by which a shell says that what it ran was killed.
    why_killed = memory.why_killed() if judged.exit == outcome.EXIT_KILLED else None
    return record.RunEnd(judged, name, f"stage {name} {outcome.describe(ending, why_killed)}", figures)


def _expect_rows(context: RunContext, ended: record.RunEnd, log: Log) -> record.RunEnd:
    """A run whose stages succeeded, but passed fewer rows than `expect.rows_at_least` to the last one, has failed."""
    pipeline, records = context.pipeline, context.settings.records
    minimum = pipeline.expect.rows_at_least
    if not minimum or ended.outcome.word != "succeeded":
        return ended
    last = ended.figures[-1]
    found = last.rows_in if len(pipeline.stages) > 1 else last.rows_out
    found, what = (records.found, "record") if records else (found, "row")
    if found is None:
        log.say(f"warning: {what}s could not be counted, so expect.rows_at_least ({minimum:,}) was not looked at")
        return ended
    if found >= minimum:
        return ended
    culprit = max(0, len(pipeline.stages) - 2)  # who wrote them
    verdicts = tuple(
        outcome.FAILED if index == culprit else verdict for index, verdict in enumerate(ended.outcome.verdicts)
    )
    name = pipeline.stages[culprit].name
    passed = f"{found:,} {what}{'' if found == 1 else 's'}"
    reason = f"stage {name} passed on {passed}, at least {minimum:,} expected"
    judged = Outcome("failed", outcome.EXIT_TOO_FEW_ROWS, verdicts, culprit)
    return ended._replace(outcome=judged, culprit=name, reason=reason, keeps_state=True)


def keep_state(context: RunContext, ended: record.RunEnd, log: Log) -> tuple[record.RunEnd, bool]:
    """Replace the state if the run earned it; a run that cannot has failed, unless it had failed before."""
    mode, succeeded = context.pipeline.state, ended.outcome.word == "succeeded"
    try:
        if context.request.no_state:
            state.restore()
        if not ended.figures or ended.keeps_state:
            return ended, False
        if succeeded and mode == state.ALL and context.reads_state:
            _refuse_unreadable(context)
        replaced = state.replace_state(mode, succeeded=succeeded)
        if mode == state.SINGER and not replaced and (line := state.first_other_line()):
            name, shown = context.pipeline.stages[-1].name, _mask_line(context, line)
            log.say(f"warning: state unchanged: stage {name} wrote no state to its stdout; its first line: {shown}")
    except StoreError as error:
        log.say(error.for_log())
        return (ended if ended.outcome.exit else _failed(ended, error)), False
    return ended, replaced


def record_run(
    context: RunContext, document: Mapping[str, Any], ended: record.RunEnd, log: Log, store: Store, *, replaced: bool
) -> int:
    """Write the record, store what the run left, and say how it went; the exit code."""
    now = time.time()
    seconds = now - context.run_start.started_at
    exit_code = ended.outcome.exit
    final = {**document, "ended_at": record.timestamp(now), "seconds": round(seconds, 3)}
    try:
        final = record.end_record(document, ended, now, seconds, state.snapshot(), replaced=replaced)
        record.write_record(final, context.mask)
        append_run(context, final, log)
        if error := store_run(context, final, log, store):
            ended = ended if exit_code else _failed(ended, error)
            exit_code = exit_code or error.exit_code
    except StoreError as error:
        log.say(f"error: {error.marked}; the record of this run is lost here")
        ended = ended if exit_code else _failed(ended, error)
        exit_code = exit_code or error.exit_code
        final = {**_corrected(final, ended), "state": {**final["state"], "replaced": False}}
        try:
            store.record(context.masked(final))
        except StoreError as again:
            log.say(f"error: {again.marked}; the store has no record of how this run ended")
    log.say(f"{ended.outcome.word} after {seconds:.1f} s" + (f": {ended.reason}" if ended.reason else ""))
    store.announce(context.masked(_corrected(final, ended)))
    log.drain(DRAIN if ended.outcome.word != "stopped" else context.settings.grace * 0.1)
    return exit_code


def append_run(context: RunContext, final: Mapping[str, Any], log: Log) -> None:
    """Add the run to the history here; where that fails, as on a full disk, the next run does it (`history`)."""
    try:
        history.append_run(context.masked(final))
    except StoreError as error:
        log.say(f"{error.for_log().replace('error', 'note', 1)}\nnote: the next run adds this one to the history")


def store_run(context: RunContext, final: Mapping[str, Any], log: Log, store: Store) -> StoreError | None:
    """Store what the run left, the state last; where that fails, the error, which the record then has too."""
    try:
        store.store(context.masked(final))
        if final["state"]["replaced"]:
            store.store_state()
    except StoreError as error:
        log.say(error.for_log())
        failed = {} if final["exit"] else {"outcome": "failed", "exit": error.exit_code, "reason": error.marked}
        corrected = {**final, **failed, "state": {**final["state"], "replaced": False}}
        try:
            record.write_record(corrected, context.mask)
            append_run(context, corrected, log)
            store.record(context.masked(corrected))
        except StoreError as again:
            log.say(f"error: {again.marked}; the store's record of this run is not up to date")
        return error
    return None


def _open_log(context: RunContext, copy: int) -> Log:
    width = max(len(name) for name in (RUNTIME_NAME, *(stage.name for stage in context.pipeline.stages)))
    return Log(LOG_FD, context.request.log_format, context.mask, width, copy)


def _inserting(log: Log) -> Callable[[str], None]:
    """Lines of the store hold names and answers from outside: all of such a line is masked."""
    return lambda line: log.say(mark_inserted(line))


def _corrected(final: Mapping[str, Any], ended: record.RunEnd) -> dict[str, Any]:
    word, code = ended.outcome.word, ended.outcome.exit
    return {**final, "outcome": word, "exit": code, "culprit": ended.culprit, "reason": ended.reason}


def _failed(ended: record.RunEnd, error: HandoffError) -> record.RunEnd:
    return ended._replace(outcome=ended.outcome._replace(word="failed", exit=error.exit_code), reason=error.marked)


def _refuse_unreadable(context: RunContext) -> None:
    """Refuse an output that a stage given the state file could not read in the next run."""
    if found := state.find_invalid_json():
        number, line = found
        shown = _mask_line(context, line)
        what = mark_inserted(shown) if shown else "nothing"
        message = f"{workspace.STDOUT}:{number}: found {what}, expected one JSON document"
        why = f"a stage is given {workspace.STATE}, which was not replaced"
        hint = "for a target that prints a state a line: `state: singer`; for an output that is no state: `state: none`"
        raise StoreError(f"{message}: {why}", hint)


def _mask_line(context: RunContext, line: bytes) -> str:
    """A line of output as it may stand in a message: masked first, since a secret that is cut is not found."""
    shown = context.mask.mask_text(line.decode("utf-8", "replace"))
    return f"{shown[:LONGEST_LINE]}..." if len(shown) > LONGEST_LINE else shown
