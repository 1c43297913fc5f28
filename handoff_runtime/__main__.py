"""`python .../handoff_runtime/start.py COMMAND -d DATA [--params FILE]`: the one program that runs a pipeline.

COMMAND is `run` (its other name is `default`), `show_commands`, or a public function in the project's
impl.py. Without it the environment decides: COMMAND and DATA, as in a container.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and os.path.isdir(sys.path[0] or ".") and os.path.samefile(sys.path[0] or ".", "."):
    del sys.path[0]  # `python -m` put it there; a project's json.py is not to be taken for the library's

from handoff_runtime.supervisor.signals import Signals, end_on_signal

end_on_signal()  # before anything else is loaded

from handoff_runtime.errors import HandoffError, UsageError, mark_inserted  # noqa: E402
from handoff_runtime.namedtuple import NamedTuple  # noqa: E402
from handoff_runtime.pipeline import METERS  # noqa: E402
from handoff_runtime.utf8 import require_utf8  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_runtime.params import Params
    from handoff_runtime.store import Store

USAGE = """usage: python -m handoff_runtime [COMMAND] [-d DATA] [--params FILE] [--meter rows|bytes|off]
                                  [--log-format text|json] [--progress-fd N] [--lifeline]
                                  [--no-state]

COMMAND        run (default), show_commands, or a function of impl.py   [$COMMAND]
-d, --data     JSON object that fills placeholders; - is the first line of standard input, so that no other
               process sees it (--params -: the lines after it)         [$DATA]
--params FILE  the params document; - is standard input
--meter        what to count on every link; overrides the project's
--log-format   text on a terminal, else json                            [$LOG_FORMAT]
--progress-fd  descriptor to write figures to, one JSON line at a time
--lifeline     with --params -: the params are the first line; when standard input ends, the run is stopped
--no-state     neither read nor replace the state; a stage that reads it gets {}   [$HANDOFF_NO_STATE=1]
"""
FLAGS = {f"--{name.replace('_', '-')}": name for name in ("data", "params", "meter", "log_format", "progress_fd")}
FLAGS["-d"] = "data"
LIFELINE, NO_STATE = "--lifeline", "--no-state"
FORMATS = ("text", "json")
STDERR = 2
REFERENCES = ("ssm:", "secretsmanager:")  # values in AWS, which a run without its store has too


class CommandLine(NamedTuple):
    """The command line, completed by the environment."""

    command: str
    data: str
    params: str | None
    meter: str | None
    log_format: str
    progress_fd: int | None
    lifeline: bool = False
    no_state: bool = False

    def say(self, text: str) -> None:
        """Write a line before there is a log, and so a mask: no such line holds a value."""
        import json
        import time

        if self.log_format == "json":
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            text = json.dumps({"time": now, "stage": "handoff", "message": text})
        _print(text)


def parse_command_line(argv: Sequence[str], environ: Mapping[str, str], *, terminal: bool) -> CommandLine:
    """Read the command line (argparse would cost a third of a start); UsageError names what is not understood."""
    found: dict[str, str] = {}
    words = iter([word for word in argv if word not in (LIFELINE, NO_STATE)])
    for word in words:
        flag, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name = FLAGS.get(flag) or ("command" if not word.startswith("-") else None)
        if name is None or name in found:
            raise UsageError(f"argument {flag!r}: not understood", "see `python -m handoff_runtime --help`")
        if name != "command" and not equals:
            try:
                value = next(words)
            except StopIteration:
                raise UsageError(
                    f"argument {flag}: a value expected", "see `python -m handoff_runtime --help`"
                ) from None
        found[name] = word if name == "command" else value
    no_state = "1" if NO_STATE in argv else environ.get("HANDOFF_NO_STATE", "")
    if no_state not in ("", "0", "1"):
        raise UsageError(f"HANDOFF_NO_STATE: {no_state!r} found, 1 or 0 expected")
    if LIFELINE in argv and found.get("params") != "-":
        raise UsageError(f"argument {LIFELINE}: found without `--params -`, whose standard input it watches")
    return CommandLine(
        command=_command(found.get("command") or environ.get("COMMAND")),
        data=found.get("data", environ.get("DATA", "")),
        params=found.get("params"),
        meter=_choice("--meter", found.get("meter"), METERS),
        log_format=_choice("--log-format", found.get("log_format") or environ.get("LOG_FORMAT") or None, FORMATS)
        or ("text" if terminal else "json"),
        progress_fd=_open_fd(found.get("progress_fd")),
        lifeline=LIFELINE in argv,
        no_state=no_state == "1",
    )


def _command(name: str | None) -> str:
    return "run" if name in (None, "", "default") else str(name)


def _choice(flag: str, found: str | None, known: Sequence[str]) -> str | None:
    if found is not None and found not in known:
        raise UsageError(f"argument {flag}: {found!r} found, one of {', '.join(known)} expected")
    return found


def _open_fd(found: str | None) -> int | None:
    if found is None:
        return None
    try:
        os.fstat(int(found))
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"argument --progress-fd: {found} found, an open descriptor expected") from None
    return int(found)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command; the exit code."""
    if "-h" in argv or "--help" in argv:
        sys.stdout.write(USAGE)
        return 0
    params = next((word for word in argv if word.startswith("--params")), None)
    line = CommandLine(_command(environ.get("COMMAND")), environ.get("DATA", ""), params, None, "json", None)
    try:
        line = parse_command_line(argv, environ, terminal=os.isatty(STDERR))
        if line.data == "-":  # arguments of a process are seen by all
            data = sys.stdin.buffer.readline() if sys.stdin else b""
            line = line._replace(data=data.decode("utf-8", "surrogateescape"))
    except HandoffError as error:
        return _refuse(error, line, environ)
    return _load_and_run(line, environ)


def _load_and_run(line: CommandLine, environ: Mapping[str, str]) -> int:
    """Choose the store, load the params from it, and run the command."""
    store: Store | None = None
    params: Params | None = None
    try:
        if _has_remote_store(line, environ):
            from handoff_runtime.aws.store import AwsStore
            from handoff_runtime.overlap import RunDeclined

            signals = Signals()
            store = remote = AwsStore(environ, signals, line.say)
            try:
                params = store.load_params()
            except RunDeclined as declined:
                return declined.exit_code
            environ = {**environ, **remote.origin}
        else:
            from handoff_runtime.params import load_params
            from handoff_runtime.store import Store

            store, params = Store(), load_params(line.params, whole=not line.lifeline)
            if line.command != "show_commands" and any(
                mark in file.value for file in params.files for mark in REFERENCES
            ):
                from handoff_runtime.aws import references

                params = references.resolve_locally(params, environ, line.say)
            signals = Signals()  # not before: until then a signal ends a process that waits for standard input
        return _run(line, params, environ, signals, store)
    except HandoffError as error:
        return _refuse(error, line, environ, params, store)
    finally:
        if store:
            store.release()


def _has_remote_store(line: CommandLine, environ: Mapping[str, str]) -> bool:
    return line.params is None and bool(environ.get("STACK_NAME"))


def _refuse(
    error: HandoffError,
    line: CommandLine,
    environ: Mapping[str, str],
    params: Params | None = None,
    store: Store | None = None,
) -> int:
    """Say why the command ends here; of a run with a store in AWS, there too. The exit code."""
    remote = _has_remote_store(line, environ) and line.command != "show_commands"
    if not params and not remote:
        _print(str(error))
        return error.exit_code
    from handoff_runtime import refusal

    refused = refusal.refuse(error, line.command, line.data, environ, params or (store.params if store else None))
    _print(refused.text)
    if remote:
        refusal.leave_record(refused, store, line.say)
    return error.exit_code


def _run(line: CommandLine, params: Params, environ: Mapping[str, str], signals: Signals, store: Store) -> int:
    from handoff_runtime import placeholders, run

    data = placeholders.parse_data(line.data)
    if line.command == "show_commands":
        from handoff_runtime import show_commands
        from handoff_runtime.terminal import safe_text

        text = safe_text(show_commands.render_commands(params, data, environ))
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))  # whatever PYTHONIOENCODING says
        return 0
    if line.command != run.RUN:
        from handoff_runtime import functions

        known = ("run", "show_commands", *functions.function_names())
        if line.command not in known:
            raise UsageError(
                f"command {mark_inserted(repr(line.command))}: not found, one of {', '.join(known)} expected",
                "a function of your own is a public `def NAME(params, data)` in impl.py",
            )
    request = run.RunRequest(
        line.command, data, line.meter, line.log_format, line.progress_fd, line.lifeline, line.no_state
    )
    return run.run(request, params, environ, signals, store)


def _print(text: str) -> None:
    from handoff_runtime.terminal import safe_text

    sys.stderr.write(f"{safe_text(text)}\n")


def start() -> None:
    """Be the program.

    It ends at once: while the interpreter tidies up it would die of a late signal.
    """
    require_utf8()
    while (fd := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass  # started without 0, 1 or 2, which no pipe of ours may become
    os.close(fd)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as we live
    sys.stderr = sys.stderr or open(STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    code = main(sys.argv[1:], os.environ)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    start()
