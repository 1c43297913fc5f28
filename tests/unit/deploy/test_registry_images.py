"""The images of a registry: since when each is deployed, and what runs it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from handoff_kit.aws.deployments import Deployment
from handoff_kit.aws.ecr import StoredImage
from handoff_kit.deploy.registry_images import RegistryImage, compare_images, registry_json, registry_table

PUSHED = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
A, B, C = (
    StoredImage(f"sha256:{letter * 64}", (f"{letter * 12}-base20260101",), PUSHED, 1_500_000) for letter in "abc"
)


def deployment(when: str, image: StoredImage, params: int = 1) -> Deployment:
    return Deployment(when, "ann", image.digest, "s", "b", params)


def task(number: int, image: StoredImage) -> dict[str, Any]:
    return {"taskArn": f"arn:aws:ecs:eu-central-1:1:task/c/T{number}", "containers": [{"imageDigest": image.digest}]}


FOUND = tuple(
    compare_images(
        (C, B, A),
        (
            deployment("T1", A),
            deployment("T2", B),
            deployment("T3", A),
            deployment("T4", A, params=2),
            deployment("T5", B),
        ),
        B.digest,
        ("daily",),
        [task(1, A), task(2, B), task(3, A), {"taskArn": "T4"}],
    )
)


def test_each_image_has_its_last_span_and_its_users() -> None:
    assert (
        RegistryImage(C),
        RegistryImage(B, "T5", is_deployed=True, schedules=("daily",), tasks=("T2",)),
        RegistryImage(A, "T3", "T5", tasks=("T1", "T3")),
    ) == FOUND


def test_where_no_deployment_is_recorded_the_deployed_one_is_known() -> None:
    assert list(compare_images((B, A), (), A.digest, (), ())) == [RegistryImage(B), RegistryImage(A, is_deployed=True)]


def test_the_table() -> None:
    assert registry_table(FOUND) == (
        "PUSHED                DIGEST        TAGS                         SIZE  BASE        DEPLOYED  UNTIL  USED BY\n"
        "2026-03-01T12:00:00Z  cccccccccccc  cccccccccccc-base20260101  1.5 MB  2026-01-01  -         -      -\n"
        "2026-03-01T12:00:00Z  bbbbbbbbbbbb  bbbbbbbbbbbb-base20260101  1.5 MB  2026-01-01  T5        -      "
        "task definition, 1 schedule, 1 running task\n"
        "2026-03-01T12:00:00Z  aaaaaaaaaaaa  aaaaaaaaaaaa-base20260101  1.5 MB  2026-01-01  T3        T5     "
        "2 running tasks\n"
    )
    assert registry_table(()) == ""


def test_as_json() -> None:
    lines = [json.loads(line) for line in registry_json(FOUND).splitlines()]
    assert lines[1] == {
        "digest": B.digest,
        "tags": list(B.tags),
        "pushed_at": "2026-03-01T12:00:00Z",
        "bytes": 1_500_000,
        "base": "2026-01-01",
        "deployed_since": "T5",
        "deployed_until": None,
        "deployed": True,
        "schedules": ["daily"],
        "tasks": ["T2"],
    }
    assert (lines[0]["deployed_since"], lines[0]["deployed"], lines[0]["tasks"]) == (None, False, [])
