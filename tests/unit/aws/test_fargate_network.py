"""Whether a task runs on what the shared stack made, or on what the project names instead."""

from __future__ import annotations

import pytest

from handoff_kit.aws.ecs.cluster import needs_shared_stack
from handoff_kit.project.model import Project

OWN = {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"], "cluster": "batch"}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:oncall"


@pytest.mark.parametrize(
    ("deploy", "alerts", "bucket", "expected"),
    [
        pytest.param({}, [], False, True, id="nothing of its own"),
        pytest.param(OWN | {"bucket": "our-data", "alerts": TOPIC}, [], False, False, id="all"),
        pytest.param(OWN | {"bucket": "our-data"}, ["mailto:a@b.de"], False, False, id="all, and a mail address"),
        pytest.param(OWN | {"bucket": "our-data"}, [], False, True, id="all but whom to notify"),
        pytest.param(OWN | {"alerts": TOPIC}, [], True, False, id="a bucket that is named elsewhere"),
        pytest.param(OWN | {"alerts": TOPIC}, [], False, True, id="all but the bucket"),
    ],
)
def test_whether_it_needs_the_shared_stack(
    deploy: dict[str, object],
    alerts: list[str],
    bucket: bool,  # noqa: FBT001
    expected: bool,  # noqa: FBT001
) -> None:
    written = {"commands": [{"command": "a"}], "deploy": deploy, **({"alerts": alerts} if alerts else {})}
    assert needs_shared_stack(Project.model_validate(written), bucket=bucket) is expected
