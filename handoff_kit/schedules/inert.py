"""JSON as ASCII text in which nobody finds anything to fill: what a user wrote stays what it is.

CloudFormation fills `{{resolve:...}}` and `${...}`, EventBridge Scheduler `<aws.scheduler...>`, and YAML takes no
control characters. Each has its first sign written as JSON may write it, which JSON's readers take for the same.
"""

from __future__ import annotations

import json

__all__ = ["inert"]

_ESCAPED = {"{{": "\\u007b\\u007b", "${": "\\u0024{", "<": "\\u003c", "\x7f": "\\u007f"}


def inert(value: object) -> str:
    """A value as such a text; none of these signs can stand outside of JSON's strings."""
    text = json.dumps(value)
    for sign, escaped in _ESCAPED.items():
        text = text.replace(sign, escaped)
    return text
