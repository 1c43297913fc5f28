"""What looks like a secret, by its name or by its form: it shall not stand where everybody who may look reads it.

What a task is started with is told by DescribeTasks, by CloudTrail and by the shell's history.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handoff_runtime import mask
from handoff_runtime.mask import SECRET_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handoff_runtime.mask import Mask
    from handoff_runtime.store import ConfigFile

__all__ = ["by_name", "by_value", "known"]

_NAME = re.compile(rf"{SECRET_NAME.pattern}|(^|_)(KEYS?|PASS|PWD|JWT)(_|$)", re.IGNORECASE)
SHORTEST, SHORTEST_NUMBER = 4, 6
TELLING = 8  # a shorter value of .local is found in many an innocent text
_PLAIN = re.compile(r"true|false|yes|no|none|null|on|off", re.IGNORECASE)
FORMS = (
    ("a key of AWS", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a private key", r"-----BEGIN [A-Z ]*(PRIVATE KEY|CERTIFICATE)"),
    ("a token of GitHub", r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{16,}"),
    ("a token of Slack", r"\bxox[a-z]-[A-Za-z0-9-]{8,}|hooks\.slack\.com/services/[A-Za-z0-9/]{16,}"),
    ("a key of Google", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("a key of Stripe", r"\b[rs]k_(live|test)_[A-Za-z0-9]{10,}"),
    ("a token of a package index", r"\b(npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"),
    ("a token of an AI service", r"\b(sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,})"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."),
    ("an address with a password", r"[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@"),
    ("an authorization header", r"\b(Basic|Bearer) [A-Za-z0-9+/=._-]{12,}"),
    ("a password", r"(?i)\b(password|passwd|pwd|secret|accountkey|api_?key)\s*[=:]\s*[^\s;,&]{4,}"),
)


def known(files: Iterable[ConfigFile]) -> Mask:
    """The values that the project's own config holds."""
    return mask.mask(files, ())


def by_name(name: str, value: str) -> str | None:
    """What says that it is a secret, where its name does; a number of few digits, or a word like true, is none."""
    found = _NAME.search(name)
    if not found or len(value) < SHORTEST or _PLAIN.fullmatch(value):
        return None
    if value.isdecimal() and len(value) < SHORTEST_NUMBER:
        return None
    return f"its name speaks of {found[0].strip('_').upper()}"


def by_value(value: str, config: Mask) -> str | None:
    """What says that it is a secret, where its form does, or where the project's config holds it."""
    if any(form == value or (len(form) >= TELLING and form in value) for form in config.forms):
        return "its value stands in the project's .local"
    return next((f"its value looks like {what}" for what, form in FORMS if re.search(form, value)), None)
