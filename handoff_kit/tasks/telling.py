"""How tasks speak: data to stdout, everything else to stderr, errors in one line and a hint."""

from __future__ import annotations

import signal
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invoke.exceptions import Exit

from handoff_kit import streams
from handoff_kit.errors import HandoffError
from handoff_runtime.terminal import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from invoke.context import Context

    from handoff_kit.steps import Step

    Body = TypeVar("Body", bound=Callable[..., None])

__all__ = ["conclude", "do", "execute", "put", "put_data", "say", "told"]

INTERRUPTED = "error: interrupted\nhint: the same command once more goes on where this came to"


def told(body: Body) -> Body:
    """A task whose expected errors are told in one line and a hint, and end invoke with their exit code."""

    @wraps(body)
    def telling(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # whatever invoke hands over
        try:
            body(*args, **kwargs)
        except HandoffError as error:
            raise Exit(safe_text(str(error)), code=error.exit_code) from None
        except KeyboardInterrupt:
            raise Exit(INTERRUPTED, code=128 + signal.SIGINT) from None

    return cast("Body", telling)


def say(text: str) -> None:
    """Progress, and what comes next."""
    try:
        print(safe_text(text), file=sys.stderr, flush=True)  # noqa: T201  # progress goes to stderr
    except BrokenPipeError:
        streams.give_up(sys.stderr)


def put(text: str) -> None:
    """Print what is meant for a person to stdout: a table, a listing, lines of a log."""
    _write(safe_text(text))


def put_data(text: str) -> None:
    """Print stored data to stdout: unchanged, unless stdout is a terminal."""
    _write(safe_text(text) if sys.stdout.isatty() else text)


def _write(text: str) -> None:
    """As UTF-8 wherever we are, and quietly where nobody reads on."""
    try:
        sys.stdout.buffer.write(_encoded(text))
        sys.stdout.flush()
    except BrokenPipeError:
        streams.give_up(sys.stdout)
        raise Exit(code=128 + signal.SIGPIPE) from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character, of a record for example
        return text.encode("utf-8", "backslashreplace")


def do(c: Context, steps: Sequence[Step], after: str) -> None:
    """Do the steps, or tell them; then say what comes next."""
    execute(c, steps)
    conclude(c, steps, after)


def execute(c: Context, steps: Sequence[Step]) -> None:
    """Do the steps, or with --dry tell them."""
    from handoff_kit.apply import ApplyOptions, apply

    apply(steps, None, ApplyOptions(say, dry=c.config.run.dry, rewrite=True))


def conclude(c: Context, steps: Sized, after: str) -> None:
    """The next useful command; with --dry that nothing was done."""
    say("nothing was done: --dry" if c.config.run.dry and len(steps) else f"next: {after}")
