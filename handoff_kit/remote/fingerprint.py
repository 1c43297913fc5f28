"""The fingerprint of a params document, stored in the description of its parameter.

An identity that may list parameters can read it without a permission to read the document. So it is slow to compute:
a plain hash would let a short password be guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

COST, BLOCKS, LENGTH = 2**13, 8, 16  # 8 MiB, 20 ms
_PREFIX = "Params of a handoff project, fingerprint "
_DESCRIPTION = re.compile(re.escape(_PREFIX) + r"([0-9a-f]{32})")


def of(document: Mapping[str, Any], stack: str) -> str:
    """The fingerprint of a document, salted with the name of its stack."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=stack.encode(), n=COST, r=BLOCKS, p=1, dklen=LENGTH).hex()


def described(document: Mapping[str, Any], stack: str) -> str:
    """The description of the parameter."""
    return f"{_PREFIX}{of(document, stack)}"


def read(description: str) -> str | None:
    """The fingerprint in a description; None where another program or an earlier version stored the parameter."""
    found = _DESCRIPTION.fullmatch(description)
    return found[1] if found else None
