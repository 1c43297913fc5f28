"""Where things lie in AWS, and which keys are refused."""

from __future__ import annotations

import pytest

from handoff_runtime import s3_keys
from handoff_runtime.errors import StoreError


def test_every_name_is_below_the_stack() -> None:
    stack = "handoff-dev-sample"
    assert (s3_keys.parameter(stack), s3_keys.files(stack), s3_keys.artifacts(stack), s3_keys.state(stack)) == (
        "handoff-dev-sample__params",
        "handoff-dev-sample/.env/files/",
        "handoff-dev-sample/.artifacts/",
        "handoff-dev-sample/.artifacts/state",
    )
    assert (
        s3_keys.lease(stack),
        s3_keys.run(stack, "r1"),
        s3_keys.history(stack),
        s3_keys.history(stack, "2026-01-31"),
    ) == (
        "handoff-dev-sample/.lock",
        "handoff-dev-sample/runs/r1/",
        "handoff-dev-sample/history/",
        "handoff-dev-sample/history/2026-01-31.jsonl",
    )


@pytest.mark.parametrize("path", ["a", "a/b", ".a", "..a", "a..", "...", "a b/ä/🧀", " ", "a\nb", "-", "a\\..\\b"])
def test_a_key_inside(path: str) -> None:
    assert s3_keys.path_below(f"s/{path}", "s/") == path


@pytest.mark.parametrize(
    "key", ["s/", "s/..", "s/../x", "s/a/../../x", "s/.", "s/a/./b", "s//a", "s/a//b", "s/a/", "t/a", "s", "s/a\0b", ""]
)
def test_a_key_that_leads_out(key: str) -> None:
    with pytest.raises(StoreError, match="found a path that leads out of its directory, expected one below s/"):
        s3_keys.path_below(key, "s/")
