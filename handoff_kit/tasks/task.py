"""`@command` turns a function into an invoke task: help for its flags, errors as a message and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task

from handoff_kit.console import print_progress
from handoff_runtime.errors import HandoffError
from handoff_runtime.terminal import safe_text

if TYPE_CHECKING:
    from handoff_kit.apply import ApplyOptions
    from handoff_kit.aws.target import Target
    from handoff_kit.steps import Step

INTERRUPTED = "error: interrupted\nhint: run the same command again to continue"
_DEFAULT_PROJECT = "HANDOFF_PROJECT, else the project of the current directory, else the only project"
DEPLOYED_PROJECT = (
    "Name of a project, e.g. word-count, also of one that is deployed and not under projects/; "
    f"default: {_DEFAULT_PROJECT}"
)
COMMON_FLAGS = {
    "builder": "Program that builds and runs images: docker, podman or auto (docker if it works, else podman); "
    "default: auto",
    "command": "Command to run: run, show_commands, or a function f(params, data) of the project's impl.py, "
    "e.g. report; default: run",
    "data": """JSON object with values for placeholders, e.g. '{"start_at": "2026-01-01"}'; default: {}""",
    "environment": "Environment to use, e.g. prod; default: HANDOFF_ENVIRONMENT, else dev",
    "json": "Print JSON, one object per line; default: text",
    "no-state": "Run without reading or storing state (stages that take it get {}); default: use the stored state",
    "platform": "Platform of the image: linux/amd64 or linux/arm64; default: image.platform of the project, "
    "else the builder's own",
    "project": f"Name of a directory under projects/, e.g. word-count; default: {_DEFAULT_PROJECT}",
    "prune": "Delete stored config files that are not in .local, after a confirmation; default: keep them",
    "remote": "Read the runs stored in AWS; default: the runs of this machine",
    "var": "Value for a placeholder as NAME=VALUE, e.g. base=JPY; may be repeated; overrides --data; default: none",
    "yes": "Do not ask for confirmation; required without a terminal; default: ask",
}


def command(
    name: str = "",
    *,
    help: Mapping[str, str] | None = None,  # noqa: A002  # invoke's name for it
    iterable: Sequence[str] = (),
    operates: bool = False,
) -> Callable[[Callable[..., None]], Task[Any]]:
    """Make an invoke task; `help` holds the flags that COMMON_FLAGS lacks or describes otherwise.

    One that `operates` finds a project by its deployed stack, also where it is not in this checkout.
    """

    def decorate(body: Callable[..., None]) -> Task[Any]:
        flags = [name.replace("_", "-") for name in body.__code__.co_varnames[1 : body.__code__.co_argcount]]
        common = {flag: COMMON_FLAGS[flag] for flag in flags if flag in COMMON_FLAGS}
        if operates:
            common["project"] = DEPLOYED_PROJECT
        return Task(
            exit_on_error()(body),
            name=name or body.__name__,
            auto_shortflags=False,
            help={**common, **(help or {})},
            iterable=iterable,
        )

    return decorate


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End invoke with the message, hint and exit code of a HandoffError; with 130 after Ctrl-C."""
    try:
        yield
    except HandoffError as error:
        raise Exit(safe_text(str(error)), code=error.exit_code) from None
    except KeyboardInterrupt:
        raise Exit(INTERRUPTED, code=128 + signal.SIGINT) from None


def apply(c: Context, steps: Sequence[Step], target: Target | None = None) -> int:
    """Apply the steps, or with --dry print them; how many changed something in AWS."""
    from handoff_kit.apply import apply

    return apply(steps, target, apply_options(c, rewrite=target is None))


def apply_options(c: Context, *, yes: bool = False, rewrite: bool = False) -> ApplyOptions:
    """How to apply a plan: as printed by --dry, or after a confirmation that --yes gives."""
    from handoff_kit.apply import ApplyOptions

    return ApplyOptions(print_progress, dry=c.config.run.dry, yes=yes, rewrite=rewrite)


def finish(c: Context, changes: int, after: str) -> None:
    """Print the next command; with --dry, if there were changes to make, that none was made."""
    print_progress("nothing was done: --dry" if c.config.run.dry and changes else f"next: {after}")
