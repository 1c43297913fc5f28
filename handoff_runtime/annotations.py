"""`Any` for annotations, which nobody evaluates: `typing` would cost every run five milliseconds."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any  # noqa: PLC0414  # handed on
else:
    Any = object
