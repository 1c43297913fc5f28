"""One run, from its params to its record: a table of contents of what a run is."""

from __future__ import annotations

import os
import time

from handoff_runtime import (
    history,
    kernel,
    keys,
    lifeline,
    mask,
    outcome,
    overlap,
    process,
    record,
    state,
    variables,
    workspace,
)
from handoff_runtime.errors import HandoffError, StartError, StoreError, UsageError, inserted
from handoff_runtime.execute import Execution, Figures, Result, Settings
from handoff_runtime.grace import FOR_STAGES, grace
from handoff_runtime.log import OURS, Log
from handoff_runtime.mask import Mask
from handoff_runtime.memory import Memory
from handoff_runtime.outcome import Ending, Outcome
from handoff_runtime.pipeline import Pipeline
from handoff_runtime.poller import Poller
from handoff_runtime.process import Command
from handoff_runtime.progress import Progress
from handoff_runtime.signals import STOPPING, Signals
from handoff_runtime.store import Params
from handoff_runtime.value import NamedTuple
from handoff_runtime.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from handoff_runtime.aws.remote import Remote

RUN = "run"
LOG_FD = 2
LONGEST_LINE = 200  # characters of a stage's output in a message
LAST_LINES, LAST_BYTES = 20, 1 << 14  # of the stdout of a stage that failed without a word on stderr
DRAIN = 5.0


class Request(NamedTuple):
    """What is asked of a run; `meter` overrides the project's; `progress_fd` is whoever watches.

    With `lifeline` the run stops when our standard input ends; with `no_state` it neither reads nor replaces the state.
    """

    command: str
    data: Mapping[str, Any]
    meter: str | None
    log_format: str
    progress_fd: int | None
    lifeline: bool = False
    no_state: bool = False


class Scene(NamedTuple):
    """What a run has before it acts: what was asked, the params, the pipeline without placeholders, our environment."""

    request: Request
    params: Params
    pipeline: Pipeline
    environ: Mapping[str, str]
    settings: Settings
    begun: record.Begun
    hidden: Mask


def run(
    request: Request, params: Params, environ: Mapping[str, str], signals: Signals, remote: Remote | None = None
) -> int:
    """Run the pipeline, or one function, and leave its state and record; the exit code."""
    scene = _scene(request, params, environ, FOR_STAGES if remote else 1)
    try:
        lock = _taken(scene, signals, remote)
    except overlap.Given as given:
        return _not_begun(scene, given, remote)
    try:
        return _begun(scene, signals, lock, remote)
    finally:
        if remote:
            remote.release()


def _taken(scene: Scene, signals: Signals, remote: Remote | None) -> int:
    """Take the project: here, and where others see it."""
    mode, say = scene.pipeline.overlap, _log(scene, os.devnull).say
    lock = overlap.take(mode, workspace.take, signals, say)
    if remote:
        remote.say, told = (
            _inserting(say),
            record.masked(record.running(scene.begun, None, scene.environ), scene.hidden),
        )
        overlap.take(mode, lambda: remote.take(told), signals, say)
    return lock


def _begun(scene: Scene, signals: Signals, lock: int, remote: Remote | None) -> int:
    state.bring_back()
    notes = [*history.note_killed(), *workspace.prepare(scene.params.files, copy=remote is None)]
    log = _log(scene, workspace.STDERR)
    for note in notes:
        log.say(inserted(note))
    ended = _fetched(remote, log, with_state=not scene.request.no_state) if remote else None
    before = state.snapshot()
    if before and not before.bytes:
        log.say(f"note: {workspace.STATE} is empty, so this run begins without a state")
    document = record.running(scene.begun, before, scene.environ)
    record.write(document, scene.hidden)
    if scene.request.no_state:
        state.set_aside()
    seeded = state.seed(scene.pipeline.state, given=_is_given_state(scene))
    ended, replaced = _keep_state(scene, ended or _watched(scene, signals, log, lock, remote), log)
    if seeded and not replaced:
        state.withdraw()
    return _conclude(scene, document, ended, log, remote, replaced=replaced)


def _fetched(remote: Remote, log: Log, *, with_state: bool) -> record.Ended | None:
    """Fetch what the run begins with; how it ended, if that is how."""
    remote.say = _inserting(log.say)
    try:
        remote.fetch(with_state=with_state)
    except overlap.Given as given:
        return record.Ended(Outcome("stopped", given.exit, ()), reason=str(given))
    except HandoffError as error:
        log.say(error.for_log())
        return record.Ended(Outcome("failed", error.exit_code, ()), reason=error.marked)
    return None


def _inserting(say: Callable[[str], None]) -> Callable[[str], None]:
    """Lines of the store, which hold names and answers from outside: all of such a line is masked."""
    return lambda line: say(inserted(line))


def _watched(scene: Scene, signals: Signals, log: Log, lock: int, remote: Remote | None) -> record.Ended:
    """Execute the stages, while the store is kept up to date; a lease that was lost is a failure."""
    if remote is None:
        return _execute(scene, signals, log, lock)
    remote.watch(scene.pipeline.state)
    ended = _execute(scene, signals, log, lock)
    remote.rest(_inserting(log.say))
    return ended._replace(outcome=_failed(ended, remote.lost), reason=remote.lost.marked) if remote.lost else ended


def _stored(scene: Scene, final: Mapping[str, Any], log: Log, remote: Remote) -> StoreError | None:
    """Store what the run left, the state last; what kept it from being stored, told in the record too."""
    try:
        remote.keep(record.masked(final, scene.hidden))
        if final["state"]["replaced"]:
            remote.keep_state()
    except StoreError as error:
        log.say(error.for_log())
        _tell_unstored(scene, final, error, log, remote)
        return error
    return None


def _tell_unstored(scene: Scene, final: Mapping[str, Any], error: StoreError, log: Log, remote: Remote) -> None:
    failed = {"outcome": "failed", "exit": error.exit_code, "reason": error.marked}
    told = {**final, **({} if final["exit"] else failed), "state": {**final["state"], "replaced": False}}
    try:
        record.write(told, scene.hidden)
        history.append(record.masked(told, scene.hidden))
        remote.tell(record.masked(told, scene.hidden))
    except StoreError as again:
        log.say(f"error: {again.marked}; the store's record of this run is not up to date")


def _scene(request: Request, params: Params, environ: Mapping[str, str], share: float) -> Scene:
    now, data = time.time(), request.data
    whole = params.pipeline._replace(meter=request.meter or params.pipeline.meter)
    due = variables.scheduled_at(data, now)
    run_id = _checked_id(str(data.get("run_id") or _new_id(now)))
    known = variables.values(data, whole, variables.Run(run_id, whole.project, whole.environment, due))
    pipeline = variables.filled(_chosen(whole, request.command), known)
    read_whole = pipeline.state == state.SINGER
    if request.no_state:
        pipeline = pipeline._replace(state=state.NONE)
    trigger = str(data.get("trigger") or environ.get("TRIGGER") or "local")
    begun = record.Begun(run_id, request.command, trigger, due.timestamp(), now, data, pipeline)
    settings = Settings(pipeline.meter, grace(environ) * share, read_whole=read_whole)
    return Scene(request, params, pipeline, environ, settings, begun, mask.of_run(params, pipeline, environ, data))


def _checked_id(run_id: str) -> str:
    """A run's id names directories, and keys in S3."""
    if not keys.is_run_id(run_id):
        rule = f"at most {keys.LONGEST_ID} letters, digits, -, _ and ., not beginning with a dot"
        shown = inserted(repr(run_id)) if len(run_id) <= keys.LONGEST_ID else f"of {len(run_id)} characters"
        raise UsageError(f"data: run_id {shown} found, {rule} expected")
    return run_id


def _new_id(now: float) -> str:
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(3).hex()}"


def _chosen(whole: Pipeline, command: str) -> Pipeline:
    if command == RUN:
        return whole
    from handoff_runtime import function

    return function.pipeline(whole, command)


def _not_begun(scene: Scene, given: overlap.Given, remote: Remote | None) -> int:
    """Leave the other run's record alone; what became of ours is told by the history."""
    told = record.masked({**record.running(scene.begun, None, scene.environ), **given.told}, scene.hidden)
    (remote or history).note(told)
    return given.exit


def _log(scene: Scene, path: str) -> Log:
    width = max(len(name) for name in (OURS, *(stage.name for stage in scene.pipeline.stages)))
    file = os.open(path, os.O_WRONLY) if path == os.devnull else workspace.fresh(path)
    return Log(LOG_FD, scene.request.log_format, scene.hidden, width, file)


def _execute(scene: Scene, signals: Signals, log: Log, lock: int) -> record.Ended:
    """Execute the stages; once a run has begun, what keeps it from going on is an outcome."""
    early = [number for number in signals.take() if number in STOPPING]
    if early:
        return record.Ended(Outcome("stopped", 128 + early[0], ()), reason="stopped before it began")
    try:
        commands = [process.command(stage, scene.environ) for stage in scene.pipeline.stages]
        memory = Memory()
        ended = _judged(scene, _supervised(scene, commands, signals, log, lock), memory)
    except HandoffError as error:
        log.say(error.for_log())
        culprit = error.stage if isinstance(error, StartError) else None
        return record.Ended(Outcome("failed", error.exit_code, ()), culprit, error.marked)
    if ended.outcome.verdicts[-1] == outcome.FAILED and ended.figures[-1].silent:
        _show_last_output(scene, log)
    if ended.outcome.exit == outcome.UNREAD:
        log.say("hint: a target must read its input to the end; for one that need not, write `state: all`")
    return ended


def _show_last_output(scene: Scene, log: Log) -> None:
    """The end of what the last stage wrote to its stdout: some programs (dbt) say there why they failed."""
    name, output = scene.pipeline.stages[-1].name, workspace.tail(workspace.STDOUT, LAST_LINES, LAST_BYTES)
    if output:
        log.say(f"stage {name} failed without a word on stderr; its stdout ({workspace.STDOUT}) ends like this:")
        log.feed(name, output)
        log.end(name)


def _supervised(scene: Scene, commands: Sequence[Command], signals: Signals, log: Log, lock: int) -> Result:
    request, pipeline = scene.request, scene.pipeline
    stdin, stdout = _stdin(scene), workspace.fresh(workspace.STDOUT)
    kernel.adopt_orphans()
    poller, watchdog = Poller(), Watchdog(lock, len(commands))
    progress = None if request.progress_fd is None else Progress(request.progress_fd, poller, signals)
    if request.lifeline:
        lifeline.watch(poller, signals)
    log.say(f"run {scene.begun.run_id} of {pipeline.project}: {' | '.join(stage.name for stage in pipeline.stages)}")
    try:
        execution = Execution(scene.settings, poller, signals, watchdog, log, progress.tell if progress else None)
        return execution.run(commands, stdin, stdout)
    finally:
        os.close(stdin)
        os.close(stdout)
        watchdog.dismiss()


def _stdin(scene: Scene) -> int:
    """Nothing for a pipeline, which shall run the same where there is no terminal; its arguments for a function."""
    if scene.request.command == RUN:
        return os.open(os.devnull, os.O_RDONLY)
    from handoff_runtime import function

    return function.sent(scene.params.document, scene.request.data)


def _judged(scene: Scene, result: Result, memory: Memory) -> record.Ended:
    endings = [figures.ending for figures in result.figures if figures.ending]
    judged = outcome.decide(endings, result.signal)
    figures = _with_output(result.figures, scene.pipeline.meter)
    if judged.culprit is None:
        reason = f"stopped by {outcome.signal_name(result.signal)}" if result.signal else None
        return record.Ended(judged, reason=reason, figures=figures)
    name = scene.pipeline.stages[judged.culprit].name
    return record.Ended(judged, name, f"stage {name} {_death(judged.exit, endings[judged.culprit], memory)}", figures)


def _death(exit_code: int, ending: Ending, memory: Memory) -> str:
    """How a stage failed, in words; a shell tells by its exit code that what it ran was killed."""
    if ending.unread and ending.status == 0:
        return outcome.early(ending.unread)
    why = memory.why_killed() if exit_code == outcome.KILLED else None
    return f"was killed for memory: {why}" if why else outcome.told(ending.status)


def _with_output(figures: Sequence[Figures], meter: str) -> Sequence[Figures]:
    """The figures with what the last stage wrote, which went through no link, counted too."""
    if meter == "off":
        return figures
    *others, last = figures
    size, rows = workspace.measure(workspace.STDOUT, count_rows=meter == "rows")
    return (*others, last._replace(bytes_out=size, rows_out=rows))


def _keep_state(scene: Scene, ended: record.Ended, log: Log) -> tuple[record.Ended, bool]:
    """Keep the state if it was earned; a run that cannot keep it has failed, unless it had failed before."""
    try:
        if scene.request.no_state:
            state.bring_back()
        return ended, bool(ended.figures) and _keep(scene, log, succeeded=ended.outcome.word == "succeeded")
    except StoreError as error:
        log.say(error.for_log())
        return (ended if ended.outcome.exit else _unstored(ended, error)), False


def _keep(scene: Scene, log: Log, *, succeeded: bool) -> bool:
    mode = scene.pipeline.state
    if succeeded and mode == state.ALL and _is_given_state(scene):
        _refuse_unreadable(scene)
    replaced = state.keep(mode, succeeded=succeeded)
    if mode == state.SINGER and not replaced:
        _warn_of_no_state(scene, log)
    return replaced


def _warn_of_no_state(scene: Scene, log: Log) -> None:
    """Say so where the last stage wrote something, and none of it is a state."""
    if line := state.refused():
        name, shown = scene.pipeline.stages[-1].name, _shown(scene, line)
        log.say(f"warning: state unchanged: stage {name} wrote no state to its stdout; its first line: {shown}")


def _refuse_unreadable(scene: Scene) -> None:
    """Refuse an output that a stage given the state file could not read in the next run."""
    if found := state.unreadable():
        number, line = found
        shown = _shown(scene, line)
        what = inserted(shown) if shown else "nothing"
        message = f"{workspace.STDOUT}:{number}: found {what}, expected one JSON document"
        why = f"a stage is given {workspace.STATE}, which was not replaced"
        hint = "for a target that prints a state a line: `state: singer`; for an output that is no state: `state: none`"
        raise StoreError(f"{message}: {why}", hint)


def _is_given_state(scene: Scene) -> bool:
    return any(state.is_given(stage.argv, stage.envs) for stage in scene.pipeline.stages)


def _shown(scene: Scene, line: bytes) -> str:
    """A line of output as it may stand in a message: masked first, since a secret that is cut is not found."""
    shown = scene.hidden.text(line.decode("utf-8", "replace"))
    return f"{shown[:LONGEST_LINE]}..." if len(shown) > LONGEST_LINE else shown


def _unstored(ended: record.Ended, error: HandoffError) -> record.Ended:
    return ended._replace(outcome=_failed(ended, error), reason=error.marked)


def _failed(ended: record.Ended, error: HandoffError) -> Outcome:
    return ended.outcome._replace(word="failed", exit=error.exit_code)


def _conclude(
    scene: Scene,
    document: Mapping[str, Any],
    ended: record.Ended,
    log: Log,
    remote: Remote | None,
    *,
    replaced: bool,
) -> int:
    """Write the record and say how it went; the exit code."""
    now = time.time()
    seconds = now - scene.begun.started_at
    exit_code = ended.outcome.exit
    try:
        final = record.ended(document, ended, now, seconds, state.snapshot(), replaced=replaced)
        record.write(final, scene.hidden)
        history.append(record.masked(final, scene.hidden))
        if remote and (error := _stored(scene, final, log, remote)):
            ended = ended if exit_code else _unstored(ended, error)
            exit_code = exit_code or error.exit_code
    except StoreError as error:
        log.say(f"error: {error.marked}; the record of this run is lost")
        exit_code = exit_code or error.exit_code
    log.say(f"{ended.outcome.word} after {seconds:.1f} s" + (f": {ended.reason}" if ended.reason else ""))
    log.drain(DRAIN if ended.outcome.word != "stopped" else scene.settings.grace * 0.1)
    return exit_code
