"""A project in AWS against what lies here: one value that is shown as a line, as a page, or as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handoff_kit.deploy.schedule_template import deployed_summaries
from handoff_kit.project import params_document as documents
from handoff_kit.remote import fingerprint, names
from handoff_kit.scheduling.next_times import next_times
from handoff_runtime.aws import lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from handoff_kit.deploy.schedule_template import ScheduleSummary
    from handoff_kit.remote.stack import Stack
    from handoff_kit.stacks.deployed import Deployed
    from handoff_kit.status.account import Account
    from handoff_kit.status.here import Here
    from handoff_runtime.aws.lease import Found

__all__ = ["Row", "Scheduled", "row"]

IN_STEP, DIFFERS, ABSENT, UNKNOWN = "in step", "differs", "none", "unknown"
STORED_ONLY = "stored only"
"""Of params that hold config files which are not here, and do not differ otherwise: a deploy changes nothing."""
RUNNING, KILLED = "running", "killed"


@dataclass(frozen=True)
class Scheduled:
    """A deployed schedule, and when it fires next; None for one that is off, or counts from when it was made (rate)."""

    entry: ScheduleSummary
    coming: datetime | None


@dataclass(frozen=True)
class Row:
    """One project. `image` and `params` are in step, differs, none (nothing is there) or unknown.

    `params` may also be stored only: then `stored_only` names the stored config files that are not here.
    """

    project: str
    environment: str
    stack: str
    options: str
    status: str | None
    image: str
    source: str | None
    tag: str | None
    params: str
    version: int | None
    schedules: tuple[Scheduled, ...] = ()
    last: Mapping[str, Any] | None = None
    unseen: bool = False
    problems: tuple[str, ...] = field(default=())
    stored_only: tuple[str, ...] = ()

    @property
    def next(self) -> Scheduled | None:
        """The schedule that fires first."""
        fires = [one for one in self.schedules if one.coming]
        return min(fires, key=lambda one: one.coming.timestamp() if one.coming else 0, default=None)

    @property
    def is_behind(self) -> bool:
        """Whether a deploy would change something that is deployed."""
        return self.status is not None and DIFFERS in (self.image, self.params)


def row(
    here: Here,
    stack: Stack,
    lock: Found | str | None,
    account: Account,
    now: datetime,
    *,
    read: Callable[[Stack], Mapping[str, Any] | None] = lambda _: None,
) -> Row:
    """Compare the two; `read` gets the stored params, which is done only where the fingerprints differ."""
    task = account.stacks.get(stack.name)
    source = task.outputs.get("Source") if task else None
    params, version, stored_only = _params(here, stack, account, read)
    return Row(
        stack.project,
        stack.environment,
        stack.name,
        stack.options,
        task.status if task else None,
        _compared(source, here.tag),
        source,
        here.tag,
        params,
        version,
        _schedules(account.stacks.get(names.schedule(stack.name)), now),
        None if isinstance(lock, str) else _last(lock),
        isinstance(lock, str),
        here.problems,
        stored_only,
    )


def _compared(there: str | None, here: str | None) -> str:
    if there is None:
        return ABSENT
    return UNKNOWN if here is None else IN_STEP if there == here else DIFFERS


def _params(
    here: Here, stack: Stack, account: Account, read: Callable[[Stack], Mapping[str, Any] | None]
) -> tuple[str, int | None, tuple[str, ...]]:
    """By fingerprint; one is made only where there is one to compare it with."""
    if account.notes:
        return UNKNOWN, None, ()
    stored = account.params.get(stack.parameter)
    if stored is None:
        return ABSENT, None, ()
    if stored.fingerprint is None or here.document is None:
        return UNKNOWN, stored.version, ()
    found = _compared(stored.fingerprint, fingerprint.of(here.document, stack.name))
    document = read(stack) if found == DIFFERS else None
    if document is None:
        return found, stored.version, ()
    merged = documents.merge(here.document, document)
    return STORED_ONLY if merged.document == document else DIFFERS, stored.version, merged.kept


def _schedules(stack: Deployed | None, now: datetime) -> tuple[Scheduled, ...]:
    return tuple(Scheduled(entry, _coming(entry, now)) for entry in deployed_summaries(stack)) if stack else ()


def _coming(entry: ScheduleSummary, now: datetime) -> datetime | None:
    found = next_times(entry.expression, entry.timezone, now, 1).times if entry.enabled else ()
    return found[0] if found else None


def _last(lock: Found | None) -> Mapping[str, Any] | None:
    """The last run by what its lock says; one that holds it no more, and did not give it back, was killed."""
    if lock is None or not isinstance(entry := lock.claim.get("entry"), dict):
        return None
    if lock.claim.get("released"):
        return entry
    return {**entry, "outcome": KILLED if lease.free(lock) else RUNNING}
