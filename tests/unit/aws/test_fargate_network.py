"""Where a task runs: on what the shared stack made, or on what the project names instead."""

from __future__ import annotations

import pytest

from handoff_kit.aws.ecs.cluster import TaskNetwork, needs_shared_stack, resolve_network
from handoff_kit.project.deploy_settings import Deploy

CLUSTERS = "arn:aws:ecs:eu-central-1:123456789012:cluster/"
SHARED = {"Subnets": "subnet-1,subnet-2", "SecurityGroup": "sg-1"}
OWN = {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"], "cluster": "batch"}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:oncall"


@pytest.mark.parametrize(
    ("deploy", "task", "expected"),
    [
        pytest.param(
            {},
            {},
            TaskNetwork(f"{CLUSTERS}handoff-dev", ("subnet-1", "subnet-2"), ("sg-1",), public_ip=True, spot=False),
            id="shared",
        ),
        pytest.param(
            OWN | {"public_ip": False, "spot": True},
            {},
            TaskNetwork(f"{CLUSTERS}batch", ("subnet-0a1b2c3d",), ("sg-0a1b2c3d",), public_ip=False, spot=True),
            id="the project's own",
        ),
        pytest.param(
            {"vpc": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d"]},
            {"SecurityGroup": "sg-9"},
            TaskNetwork(f"{CLUSTERS}handoff-dev", ("subnet-0a1b2c3d",), ("sg-9",), public_ip=True, spot=False),
            id="a group that the task stack made",
        ),
        pytest.param(
            {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/x"},
            {},
            TaskNetwork(
                "arn:aws:ecs:us-east-1:123456789012:cluster/x",
                ("subnet-1", "subnet-2"),
                ("sg-1",),
                public_ip=True,
                spot=False,
            ),
            id="a cluster by its ARN",
        ),
    ],
)
def test_a_network(deploy: dict[str, object], task: dict[str, str], expected: TaskNetwork) -> None:
    assert resolve_network(Deploy.model_validate(deploy), CLUSTERS, SHARED, task, "handoff-dev") == expected


def test_nothing_is_there() -> None:
    assert resolve_network(Deploy(), CLUSTERS, {}, {}, "handoff-dev") == TaskNetwork(
        f"{CLUSTERS}handoff-dev", (), (), public_ip=True, spot=False
    )


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
