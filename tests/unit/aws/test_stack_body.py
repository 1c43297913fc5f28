"""How a template is handed to CloudFormation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from handoff_kit.aws.cloudformation.template import check_size, template_argument, template_key
from handoff_kit.steps import DeployStack
from handoff_runtime.errors import HandoffError


@dataclass
class Calls:
    """Clients that remember what was called."""

    region: str
    made: list[tuple[Any, ...]] = field(default_factory=list)

    def call(self, service: str, operation: str, **request: Any) -> None:
        self.made.append((service, operation, request))


def step(size: int, bucket: str = "b") -> DeployStack:
    return DeployStack("shop", Path("build/shop/task.yml"), "x" * size, {}, {}, "invoke deploy --project shop", bucket)


def test_what_fits_goes_with_the_call() -> None:
    calls = Calls("eu-central-1")
    assert template_argument(step(51_200), cast("Any", calls)) == {"TemplateBody": "x" * 51_200}
    assert calls.made == []


@pytest.mark.parametrize(
    ("region", "host"),
    [
        pytest.param("eu-central-1", "s3.eu-central-1.amazonaws.com", id="anywhere"),
        pytest.param("cn-north-1", "s3.cn-north-1.amazonaws.com.cn", id="china"),
        pytest.param("eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu", id="sovereign cloud of Europe"),
        pytest.param("us-iso-east-1", "s3.us-iso-east-1.c2s.ic.gov", id="isolated"),
    ],
)
def test_what_is_longer_goes_by_the_bucket(region: str, host: str) -> None:
    calls, large = Calls(region), step(51_201)
    assert template_argument(large, cast("Any", calls)) == {"TemplateURL": f"https://{host}/b/{template_key(large)}"}
    request = {"Bucket": "b", "Key": template_key(large), "Body": b"x" * 51_201, "ContentType": "text/yaml"}
    assert calls.made == [("s3", "put_object", request)]
    sha = hashlib.sha256(b"x" * 51_201).hexdigest()
    assert template_key(large) == f".templates/shop-{sha[:16]}.yml"


@pytest.mark.parametrize(
    ("large", "expected"),
    [
        pytest.param(step(1_000_000), None, id="the most"),
        pytest.param(
            step(1_000_001),
            "error: task.yml: found 1,000,001 bytes, expected at most 1,000,000, CloudFormation's limit\n"
            "hint: name less in it: schedules, or deploy.policies",
            id="too long",
        ),
        pytest.param(
            step(51_201, ""),
            "error: task.yml: found 51,201 bytes, expected at most 51,200 without a bucket to hold it\n"
            "hint: name a bucket: S3_BUCKET_NAME=NAME invoke deploy --project shop",
            id="no bucket",
        ),
        pytest.param(step(51_200, ""), None, id="none needed"),
    ],
)
def test_what_is_refused(large: DeployStack, expected: str | None) -> None:
    if expected is None:
        check_size(large)
        return
    with pytest.raises(HandoffError) as caught:
        check_size(large)
    assert str(caught.value) == expected
