"""How tasks speak: data to stdout, everything else to stderr, errors in one line and a hint."""

from __future__ import annotations

import signal
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invoke.exceptions import Exit

from handoff_kit.console import print_progress
from handoff_kit.errors import HandoffError
from handoff_runtime.terminal import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from invoke.context import Context

    from handoff_kit.steps import Step

    Body = TypeVar("Body", bound=Callable[..., None])

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


def do(c: Context, steps: Sequence[Step], after: str) -> None:
    """Do the steps, or tell them; then say what comes next."""
    execute(c, steps)
    conclude(c, steps, after)


def execute(c: Context, steps: Sequence[Step]) -> None:
    """Do the steps, or with --dry tell them."""
    from handoff_kit.execute import execute as perform

    perform(steps, dry=c.config.run.dry, say=print_progress)


def conclude(c: Context, steps: Sized, after: str) -> None:
    """The next useful command; with --dry that nothing was done."""
    print_progress("nothing was done: --dry" if c.config.run.dry and len(steps) else f"next: {after}")
