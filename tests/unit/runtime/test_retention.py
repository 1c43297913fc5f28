"""The tag of an object, and `keep` in the params document. tests/unit/deploy/test_shared_template.py: what S3 does."""

from __future__ import annotations

from typing import Any

import pytest

from handoff_runtime import pipeline
from handoff_runtime.errors import PipelineError
from handoff_runtime.retention import Keep, object_tag

DOCUMENT: dict[str, Any] = {"format": 1, "project": "a", "stages": [{"name": "a", "argv": ["a"]}]}


@pytest.mark.parametrize(
    ("key", "expected", "for_ever"),
    [
        pytest.param("s/runs/x/run.json", ("keep", "90"), ("keep-old", "1"), id="a record"),
        pytest.param("s/history/2026-01-01.jsonl", ("keep", "90"), ("keep-old", "1"), id="the index of a day"),
        pytest.param("s/.artifacts/state", ("states", "50"), ("states", "50"), id="the state"),
        pytest.param("s/.artifacts/state.bak", ("keep-old", "30"), ("keep-old", "forever"), id="named like the state"),
        pytest.param("s/.env/files/runs/x", ("keep-old", "30"), ("keep-old", "forever"), id="a file"),
        pytest.param("s/.lock", ("keep-old", "1"), ("keep-old", "1"), id="the lock"),
        pytest.param(".templates/s.yml", None, None, id="a template, which has a rule by its prefix"),
        pytest.param("s", None, None, id="below no stack"),
    ],
)
def test_each_object_has_one_tag(key: str, expected: Any, for_ever: Any) -> None:
    assert object_tag(key, Keep()) == expected
    assert object_tag(key, Keep(runs=None, artifacts=None)) == for_ever


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({}, None, id="a document of before"),
        pytest.param({"keep": {"runs": 7, "artifacts": None, "states": 5}}, Keep(7, None, 5), id="whole"),
        pytest.param(
            {"keep": {"runs": 7, "artifacts": 3, "states": 5, "maps": 1}}, Keep(7, 3, 5), id="more than known"
        ),
    ],
)
def test_keep_of_a_document(found: dict[str, Any], expected: Keep | None) -> None:
    assert pipeline.parse({**DOCUMENT, **found}).keep == expected


@pytest.mark.parametrize("keep", [[], {}, {"states": None}, {"states": 5, "runs": 0}, {"states": 5, "runs": True}])
def test_a_keep_that_is_none(keep: Any) -> None:
    with pytest.raises(PipelineError, match=r"^error: pipeline\.keep"):
        pipeline.parse({**DOCUMENT, "keep": keep})
