"""The checks of `invoke verify` as a tree for people, and as JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from handoff_kit.deploy.checks import FAILED, OK, SKIPPED, Check, CheckGroup
from handoff_kit.text import json_lines, plural
from handoff_runtime.terminal import safe_name

OUTCOMES = (OK, FAILED, SKIPPED)
WIDTH = max(map(len, OUTCOMES))
MOST_LINES = 5
"""Of checks that went well in a group; of more, one line has their number."""


def checks_tree(groups: Iterable[CheckGroup]) -> str:
    """A line for each group, and below it a line for each check: its outcome, and the fix of one that failed."""
    return "".join(f"{line}\n" for line in _tree_lines(groups))


def _tree_lines(groups: Iterable[CheckGroup]) -> Iterator[str]:
    for group in groups:
        yield safe_name(group.name)
        passed = [check for check in group.checks if check.outcome == OK]
        if len(passed) > MOST_LINES:
            yield f"  {OK:<{WIDTH}}  {plural(len(passed), group.noun)}"
        for check in group.checks:
            if check.outcome != OK or len(passed) <= MOST_LINES:
                yield _line(check)


def _line(check: Check) -> str:
    detail = f": {check.detail}" if check.detail else ""
    fix = f"; fix: {check.fix}" if check.fix else ""
    return f"  {check.outcome:<{WIDTH}}  {safe_name(check.name + detail + fix)}"


def checks_json(groups: Iterable[CheckGroup]) -> str:
    """One JSON object a check."""
    return json_lines(
        {
            "group": group.name,
            "name": check.name,
            "outcome": check.outcome,
            "detail": check.detail,
            "fix": check.fix or None,
        }
        for group in groups
        for check in group.checks
    )


def counts(groups: Iterable[CheckGroup]) -> str:
    """How many of each outcome: 30 OK, 1 FAILED, 2 skipped."""
    found = Counter(check.outcome for group in groups for check in group.checks)
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES if found[outcome])
