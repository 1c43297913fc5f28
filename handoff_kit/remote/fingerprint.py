"""A fingerprint of the params document, which says beside the parameter whether what lies here is stored there.

Whoever may list parameters sees it, and need not be one who may read them. So it is slow to make: a plain hash would
let a short password be guessed by trying.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["described", "of", "read"]

COST, BLOCKS, LENGTH = 2**13, 8, 16  # 8 MiB, 20 ms
_TOLD = "Params of a handoff project, fingerprint "
_MARK = re.compile(re.escape(_TOLD) + r"([0-9a-f]{32})")


def of(document: Mapping[str, Any], stack: str) -> str:
    """The fingerprint of a document; the same document of another stack has another one."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=stack.encode(), n=COST, r=BLOCKS, p=1, dklen=LENGTH).hex()


def described(document: Mapping[str, Any], stack: str) -> str:
    """What the parameter's description says."""
    return f"{_TOLD}{of(document, stack)}"


def read(description: str) -> str | None:
    """The fingerprint in a description; None where an earlier version, or somebody else, has stored it."""
    found = _MARK.fullmatch(description)
    return found[1] if found else None
