"""Which texts are references, and which are only texts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from handoff_runtime.aws import references
from handoff_runtime.aws.references import Reference
from handoff_runtime.params import ConfigFile, Params
from handoff_runtime.pipeline import Pipeline

if TYPE_CHECKING:
    from handoff_runtime.aws.session import Session

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


def test_the_numbers_beside_a_reference_keep_their_texts() -> None:
    file = ConfigFile("a.json", '{"id": "secretsmanager:a#id", "rate": 1.10}')
    secrets = SimpleNamespace(call=lambda *_, **__: {"SecretString": '{"id": 12345678901234567890.123}'})
    params = Params(Pipeline("p", "dev", {}, {}, "all", "rows", ()), (file,), {})
    resolved = references.resolve(cast("Session", secrets), params)
    assert resolved.files[0].value == '{\n  "id": "12345678901234567890.123",\n  "rate": 1.10\n}'


def test_a_reference_is_told_as_it_was_written() -> None:
    texts = ("ssm:/a:3", "secretsmanager:prod/db#password", "secretsmanager:prod/db")
    assert tuple(str(references.parse_reference(text)) for text in texts) == texts
