"""Requirements, under `venvs` and after `pip install`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_kit.faults.fault import Fault, short
from handoff_kit.forms import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.source import Trail

_PLAIN = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[a-z0-9,_-]+\])?(?:(?:==|>=|<=|~=|!=|<|>)[0-9]+(?:\.[0-9]+)*(?:,|$))*"
)


def bad_requirement(trail: Trail, word: str) -> Iterator[Fault]:
    """What pip would not take for a package."""
    if word.lstrip().startswith("-"):
        message = f"found the pip option {short(word)}, expected a requirement"
        yield Fault(trail, message, "name packages only: tap-jsonl, or tap-jsonl>=1.2")
    elif not _is_requirement(word):
        message = f"`{short(word)}` is not a requirement, expected a package as pip writes it"
        yield Fault(trail, message, 'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"')


def bad_install(trail: Trail, line: str) -> Iterator[Fault]:
    """A line that is not `pip install` and packages."""
    words = installed(line)
    if not words:
        message = f"`{short(line)}` installs nothing we know, expected pip install and packages"
        yield Fault(trail, message, "for example: pip install tap-jsonl")
    elif option := next((word for word in words if word.startswith("-")), None):
        message = f"found the pip option {option}, expected only packages after pip install"
        hint = "declare the venv at the left margin: venvs: {tap: [tap-jsonl]}; its lock pins versions"
        yield Fault(trail, message, hint)
    else:
        for word in words:
            yield from bad_requirement(trail, word)


def _is_requirement(word: str) -> bool:
    if _PLAIN.fullmatch(word) and not word.endswith(","):
        return True
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  # 50 ms that few files need

    try:
        Requirement(word)
    except InvalidRequirement:
        return False
    return True
