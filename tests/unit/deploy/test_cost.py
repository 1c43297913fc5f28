"""What a project costs: one run, a month, and its parts."""

from __future__ import annotations

from typing import Any

import pytest

from handoff_kit.aws import prices
from handoff_kit.aws.prices import FargatePrices
from handoff_kit.deploy.cost import (
    ALARMS,
    Usage,
    billed_seconds,
    cost_as_json,
    cost_notes,
    cost_table,
    estimate_cost,
    run_price,
)
from handoff_kit.project.deploy_settings import Deploy

PRICE = FargatePrices(vcpu=0.04, memory=0.004, storage=0.0001)
DAY = 86_400.0
GIB = 1 << 30


@pytest.mark.parametrize(
    ("seconds", "size", "expected"),
    [
        pytest.param(3570, {"cpu": 1024, "memory": 2048}, 0.04 + 2 * 0.004, id="an hour with its start"),
        pytest.param(1, {"cpu": 1024, "memory": 2048}, 0.048 / 60, id="a minute at least"),
        pytest.param(30.4, {"cpu": 1024, "memory": 2048}, 0.048 * 61 / 3600, id="to the second"),
        pytest.param(3570, {"cpu": 256, "memory": 512}, 0.01 + 0.002, id="a quarter of a vCPU"),
        pytest.param(3570, {"cpu": 1024, "memory": 2048, "storage": 50}, 0.048 + 30 * 0.0001, id="storage beyond 20"),
    ],
)
def test_one_run(seconds: float, size: dict[str, Any], expected: float) -> None:
    assert run_price(seconds, Deploy.model_validate(size), PRICE) == pytest.approx(expected)


def test_which_runs_are_billed() -> None:
    """A task that refused its run at once is billed like any other."""
    runs = [("schedule", 65.1), ("run", 0.0), ("schedule", None), ("local", 3600.0)]
    assert billed_seconds({"trigger": trigger, "seconds": seconds} for trigger, seconds in runs) == (65.1, 0.0)
    assert billed_seconds([]) == ()


@pytest.mark.parametrize(
    ("spot", "usage", "run", "month"),
    [
        pytest.param(False, Usage((3570,) * 10), (0.048, 0.048), (0.4815, 0.4815), id="on demand"),
        pytest.param(True, Usage((3570,) * 10), (0.0144, 0.048), (0.1455, 0.4815), id="Spot"),
        pytest.param("fallback", Usage((3570,) * 10), (0.0144, 0.048), (0.1455, 0.4815), id="Spot or on demand"),
        pytest.param(False, Usage(()), (0.0008, 0.0008), (0, 0), id="no run yet"),
        pytest.param(False, Usage((), is_checked=True), (0.0008, 0.0008), (0.072, 0.072), id="an hourly check"),
        pytest.param(False, Usage((), 1, 10 * GIB, 2 * GIB), (0.0008, 0.0008), (0.6, 0.6), id="what is stored"),
    ],
)
def test_a_month(spot: Any, usage: Usage, run: tuple[float, float], month: tuple[float, float]) -> None:
    size = Deploy.model_validate({"cpu": 1024, "memory": 2048, "spot": spot})
    found = estimate_cost("shop", size, usage, PRICE)
    assert [*found.run, *found.month] == pytest.approx([*run, *month])


def test_the_table_and_its_notes() -> None:
    costs = [
        estimate_cost("shop", Deploy(), Usage((65.1, 3600), ALARMS, GIB, GIB), prices.FARGATE["us-east-1"]["x86_64"]),
        estimate_cost(
            "wind",
            Deploy.model_validate({"cpu": 1024, "memory": 2048, "spot": True, "architecture": "arm64"}),
            Usage((DAY,) * 30, 0, None, GIB),
            prices.FARGATE["us-east-1"]["arm64"],
        ),
    ]
    assert cost_table(costs) == (
        "PROJECT  SIZE               RUNS    AVERAGE          PER RUN     FARGATE  STEPS  ALARMS   LOG  IMAGES       MONTH\n"
        "shop     0.25 vCPU, 0.5 GB     2  30 m 33 s          0.00639        0.01   0.00    0.20  0.03    0.10        0.34\n"
        "wind     1 vCPU, 2 GB         30  24 h 00 m  0.28450-0.94833  8.53-28.45   0.00    0.00     ?    0.10  8.64-28.55\n"
    )
    assert cost_notes(costs, "eu-central-1") == (
        "an estimate in USD, with prices of us-east-1 of 2026-06 (handoff_kit/aws/prices.py); those of eu-central-1 are"
        " not listed, and may be 10 to 30 % higher",
        "RUNS are those of the last 30 days with a duration, MONTH is what they cost; a run is billed for its duration"
        " and 30 s to start (assumed), for 60 s at least",
        "Spot costs up to 70% less than the higher figure",
        "left out: taxes, free tiers, data transfer, public addresses, NAT gateways, S3, and what the log takes in",
    )
    assert cost_notes(costs[:1], "us-east-1")[0] == (
        "an estimate in USD, with prices of us-east-1 of 2026-06 (handoff_kit/aws/prices.py)"
    )
    assert cost_as_json(costs[1], "us-east-1") == {
        "project": "wind",
        "cpu": 1024,
        "memory": 2048,
        "storage": 20,
        "architecture": "arm64",
        "spot": True,
        "days": 30,
        "runs": 30,
        "average_seconds": 86400.0,
        "run": {"lowest": 0.284499, "highest": 0.948329},
        "fargate": {"lowest": 8.534963, "highest": 28.449875},
        "steps": 0.0045,
        "alarms": 0.0,
        "images": 0.1,
        "month": {"lowest": 8.639463, "highest": 28.554375},
        "currency": "USD",
        "prices": {"region": "us-east-1", "date": "2026-06"},
    }
