"""Which texts are references, and which are only texts."""

from __future__ import annotations

import pytest

from handoff_runtime.aws import references
from handoff_runtime.aws.references import Reference

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbCdEf"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssm:/a", Reference("ssm", "/a")),
        ("ssm:/a/b.c-d_e", Reference("ssm", "/a/b.c-d_e")),
        (" ssm:/a\n", Reference("ssm", "/a")),
        ("ssm:/a:3", Reference("ssm", "/a:3")),
        ("ssm:/a:label", Reference("ssm", "/a:label")),
        ("secretsmanager:prod/db", Reference("secretsmanager", "prod/db")),
        ("secretsmanager:prod/db#password", Reference("secretsmanager", "prod/db", "password")),
        ("secretsmanager:prod/db#a key#b", Reference("secretsmanager", "prod/db", "a key#b")),
        (f"secretsmanager:{ARN}#p", Reference("secretsmanager", ARN, "p")),
        ("ssm:a", None),
        ("ssm:", None),
        ("ssm:/a b", None),
        ("ssm:/ä", None),
        ("see ssm:/a", None),
        ("SSM:/a", None),
        ("secretsmanager:", None),
        ("secretsmanager:#key", None),
        ("secretsmanager:a b", None),
        ("", None),
    ],
)
def test_read(text: str, expected: Reference | None) -> None:
    assert references.parse_reference(text) == expected


def test_a_reference_is_told_as_it_was_written() -> None:
    texts = ("ssm:/a:3", "secretsmanager:prod/db#password", "secretsmanager:prod/db")
    assert tuple(str(references.parse_reference(text)) for text in texts) == texts
