"""Whether a task runs on what the shared stack made, or on what the project names instead."""

from __future__ import annotations

import pytest

from handoff_kit.aws.ecs.cluster import needs_shared_stack
from handoff_kit.project.deploy_settings import Deploy

OWN = {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"], "cluster": "batch"}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:oncall"


@pytest.mark.parametrize(
    ("deploy", "bucket", "expected"),
    [
        pytest.param({}, False, True, id="nothing of its own"),
        pytest.param(OWN | {"bucket": "our-data", "alerts": TOPIC}, False, False, id="all"),
        pytest.param(OWN | {"alerts": TOPIC}, True, False, id="a bucket that is named elsewhere"),
        pytest.param(OWN | {"alerts": TOPIC}, False, True, id="all but the bucket"),
    ],
)
def test_whether_it_needs_the_shared_stack(deploy: dict[str, object], bucket: bool, expected: bool) -> None:  # noqa: FBT001
    assert needs_shared_stack(Deploy.model_validate(deploy), bucket=bucket) is expected
