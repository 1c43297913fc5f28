"""`python .../handoff_runtime/start.py COMMAND -d DATA [--params FILE]`: the one program that runs a pipeline.

COMMAND is `run` (its other name is `default`), `show_commands`, or a public function in the project's
impl.py. Without it the environment decides: COMMAND and DATA, as in a container.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and os.path.isdir(sys.path[0] or ".") and os.path.samefile(sys.path[0] or ".", "."):
    del sys.path[0]  # `python -m` put it there; a project's json.py is not to be taken for the library's

from handoff_runtime.signals import Signals, end_when_told

end_when_told()  # before anything else is loaded

from handoff_runtime.errors import HandoffError, UsageError, inserted  # noqa: E402
from handoff_runtime.pipeline import METERS  # noqa: E402
from handoff_runtime.value import NamedTuple  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handoff_runtime.aws.remote import Remote
    from handoff_runtime.store import Params

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
FLAGS = {
    "-d": "data",
    "--data": "data",
    "--params": "params",
    "--meter": "meter",
    "--log-format": "log_format",
}
FLAGS["--progress-fd"] = "progress_fd"
LIFELINE, NO_STATE = "--lifeline", "--no-state"
FORMATS = ("text", "json")
STDERR = 2
REFERENCES = ("ssm:", "secretsmanager:")


class Asked(NamedTuple):
    """The command line, completed by the environment."""

    command: str
    data: str
    params: str | None
    meter: str | None
    log_format: str
    progress_fd: int | None
    lifeline: bool = False
    no_state: bool = False


def asked(argv: Sequence[str], environ: Mapping[str, str], *, terminal: bool) -> Asked:
    """Read the command line (argparse would cost a third of a start); UsageError names what is not understood."""
    found: dict[str, str] = {}
    words = iter([word for word in argv if word not in (LIFELINE, NO_STATE)])
    for word in words:
        flag, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name = FLAGS.get(flag) or ("command" if not word.startswith("-") else None)
        if name is None or name in found:
            raise UsageError(f"argument {flag!r}: not understood", "see `python -m handoff_runtime --help`")
        found[name] = word if name == "command" else value if equals else _value(flag, words)
    command = found.get("command") or environ.get("COMMAND") or "run"
    return Asked(
        command="run" if command == "default" else command,
        data=found.get("data", environ.get("DATA", "")),
        params=found.get("params"),
        meter=_choice("--meter", found.get("meter"), METERS),
        log_format=_choice("--log-format", found.get("log_format") or environ.get("LOG_FORMAT") or None, FORMATS)
        or ("text" if terminal else "json"),
        progress_fd=_open_fd("--progress-fd", found.get("progress_fd")),
        lifeline=_lifeline(argv, found.get("params")),
        no_state=NO_STATE in argv or _switch("HANDOFF_NO_STATE", environ),
    )


def _switch(name: str, environ: Mapping[str, str]) -> bool:
    if (value := environ.get(name, "")) not in ("", "0", "1"):
        raise UsageError(f"{name}: {value!r} found, 1 or 0 expected")
    return value == "1"


def _lifeline(argv: Sequence[str], params: str | None) -> bool:
    if LIFELINE in argv and params != "-":
        raise UsageError(f"argument {LIFELINE}: found without `--params -`, whose standard input it watches")
    return LIFELINE in argv


def _value(flag: str, words: object) -> str:
    for word in words:  # type: ignore[attr-defined]
        return str(word)
    raise UsageError(f"argument {flag}: a value expected", "see `python -m handoff_runtime --help`")


def _choice(flag: str, found: str | None, known: Sequence[str]) -> str | None:
    if found is not None and found not in known:
        raise UsageError(f"argument {flag}: {found!r} found, one of {', '.join(known)} expected")
    return found


def _open_fd(flag: str, found: str | None) -> int | None:
    if found is None:
        return None
    try:
        os.fstat(int(found))
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"argument {flag}: {found} found, an open descriptor expected") from None
    return int(found)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what is asked; the exit code."""
    if "-h" in argv or "--help" in argv:
        sys.stdout.write(USAGE)
        return 0
    try:
        return _do(_with_data(asked(argv, environ, terminal=os.isatty(STDERR))), environ)
    except HandoffError as error:
        return _fail(error, str(error))


def _with_data(what: Asked) -> Asked:
    """The command line with its data, which may come by standard input: arguments of a process are seen by all."""
    if what.data != "-":
        return what
    return what._replace(data=sys.stdin.buffer.readline().decode("utf-8", "surrogateescape") if sys.stdin else "")


def _fail(error: HandoffError, text: str) -> int:
    _print(text)
    return error.exit_code


def _fail_masked(error: HandoffError, what: Asked, params: Params, environ: Mapping[str, str]) -> int:
    from handoff_runtime import mask, variables

    try:
        data = variables.parse_data(what.data)
    except UsageError:
        data = {}
    return _fail(error, mask.of_run(params, params.pipeline, environ, data).inserted(error.for_log()))


def _do(what: Asked, environ: Mapping[str, str]) -> int:
    from handoff_runtime import store

    if what.params is None and environ.get("STACK_NAME"):
        return _do_remotely(what, environ)
    params = _resolved(what, store.load(what.params, whole=not what.lifeline), environ)
    signals = Signals()  # not before: who waits for standard input is to end when told so
    try:
        return _act(what, params, environ, signals)
    except HandoffError as error:
        return _fail_masked(error, what, params, environ)


def _resolved(what: Asked, params: Params, environ: Mapping[str, str]) -> Params:
    """The params with what config refers to, which lies in AWS wherever the run takes place."""
    if what.command == "show_commands" or not any(mark in file.value for file in params.files for mark in REFERENCES):
        return params
    from handoff_runtime.aws import references

    return references.resolve_here(params, environ, lambda line: _say(what.log_format, line))


def _do_remotely(what: Asked, environ: Mapping[str, str]) -> int:
    """The same with the store that the environment names."""
    from handoff_runtime.aws.remote import Remote
    from handoff_runtime.overlap import Given

    signals = Signals()
    remote = Remote(environ, signals, lambda line: _say(what.log_format, line))
    try:
        params = remote.load()
    except Given as given:
        return given.exit
    known = {**environ, **remote.origin}
    try:
        return _act(what, params, known, signals, remote)
    except HandoffError as error:
        return _fail_masked(error, what, params, environ)


def _say(log_format: str, line: str) -> None:
    """Before there is a log: whom to mask for is not known yet, and nothing said here holds a value."""
    import json
    import time

    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = json.dumps({"time": now, "stage": "handoff", "message": line}) if log_format == "json" else line
    _print(told)


def _print(text: str) -> None:
    from handoff_runtime.terminal import safe_text

    sys.stderr.write(f"{safe_text(text)}\n")


def _act(
    what: Asked, params: Params, environ: Mapping[str, str], signals: Signals, remote: Remote | None = None
) -> int:
    from handoff_runtime import run, variables

    data = variables.parse_data(what.data)
    if what.command == "show_commands":
        from handoff_runtime import show
        from handoff_runtime.terminal import safe_text

        sys.stdout.write(safe_text(show.commands(params, data, environ)))
        return 0
    if what.command != run.RUN:
        from handoff_runtime import function

        _check_known(what.command, function.names())
    request = run.Request(
        what.command, data, what.meter, what.log_format, what.progress_fd, what.lifeline, what.no_state
    )
    return run.run(request, params, environ, signals, remote)


def _check_known(command: str, functions: Sequence[str]) -> None:
    known = ("run", "show_commands", *functions)
    if command not in known:
        raise UsageError(
            f"command {inserted(repr(command))}: not found, one of {', '.join(known)} expected",
            "a function of your own is a public `def NAME(params, data)` in impl.py",
        )


def _leave(code: int) -> None:
    """End at once: while the interpreter tidies up it would take a late signal for a reason to die of it."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _open_standard_descriptors() -> None:
    """Fill 0, 1 and 2 if we were started without them: a pipe of ours must never take their place."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(fd)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as we live
    sys.stderr = sys.stderr or open(STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def start() -> None:
    """Be the program."""
    _open_standard_descriptors()
    _leave(main(sys.argv[1:], os.environ))


if __name__ == "__main__":
    start()
