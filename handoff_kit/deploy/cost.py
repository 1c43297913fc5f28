"""What projects cost: an estimate from the size of their task, the durations in their history, and a list of prices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws import ecr, prices
from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.aws.ecs.cluster import deployed_settings
from handoff_kit.aws.history import HistoryLine, HistoryQuery, list_runs, stored_history
from handoff_kit.aws.session import DeployedProject
from handoff_kit.console import Say
from handoff_kit.deploy.inventory import read_log_bytes
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.text import duration, table
from handoff_runtime import record
from handoff_runtime.aws.concurrency import map_concurrently

DAYS = 30
STARTUP = 30.0
"""Seconds between the pull of an image and the start of a run, and between its end and that of its task: assumed."""
TRANSITIONS = 6
"""States that an execution enters, about: more where a start is tried again."""
CHECKS = 4 * 24 * DAYS
"""States that the hourly check of `expect` enters in DAYS days."""
ALARMS = 2
"""Of a schedule stack: on missed schedules, and on those that no queue holds."""
PROJECTS_AT_ONCE = 8
HEAD = ("PROJECT", "SIZE", "RUNS", "AVERAGE", "PER RUN", "FARGATE", "STEPS", "ALARMS", "LOG", "IMAGES", "MONTH")
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Usage:
    """What a project used in the last DAYS days: seconds of each run, and what is stored in bytes, None where unknown.

    `is_checked`: whether a state machine checks each hour that a run has succeeded.
    """

    runs: tuple[float, ...]
    alarms: int = 0
    log_bytes: int | None = None
    image_bytes: int | None = None
    is_checked: bool = False


@dataclass(frozen=True)
class CostEstimate:
    """USD: of one run, and of a month; Fargate as the lowest and the highest, which differ with Spot.

    `fixed` are the other parts of a month by name; what is not known is not among them.
    """

    project: str
    size: Deploy
    usage: Usage
    run: tuple[float, float]
    fargate: tuple[float, float]
    fixed: dict[str, float]

    @property
    def month(self) -> tuple[float, float]:
        """All parts."""
        rest = sum(self.fixed.values())
        return self.fargate[0] + rest, self.fargate[1] + rest


def run_price(seconds: float, size: Deploy, price: prices.FargatePrices) -> float:
    """USD of one task on demand, with the time to start it."""
    hours = max(prices.SHORTEST, math.ceil(seconds + STARTUP)) / 3600
    storage = max(0, size.storage - prices.FREE_STORAGE)
    return hours * (size.cpu / 1024 * price.vcpu + size.memory / 1024 * price.memory + storage * price.storage)


def estimate_cost(project: str, size: Deploy, usage: Usage, price: prices.FargatePrices) -> CostEstimate:
    """The estimate of one project. Pure."""
    each = [run_price(seconds, size, price) for seconds in usage.runs]
    total, lowest = sum(each), 1 - prices.SPOT_DISCOUNT if size.spot else 1.0
    average = total / len(each) if each else run_price(0, size, price)
    transitions = len(each) * TRANSITIONS + (CHECKS if usage.is_checked else 0)
    fixed = {"steps": transitions * prices.TRANSITION, "alarms": usage.alarms * prices.ALARM}
    if usage.log_bytes is not None:
        fixed["log"] = usage.log_bytes / GIGABYTE * prices.LOG_STORAGE
    if usage.image_bytes is not None:
        fixed["images"] = usage.image_bytes / GIGABYTE * prices.IMAGE_STORAGE
    return CostEstimate(project, size, usage, (average * lowest, average), (total * lowest, total), fixed)


def read_costs(projects: Iterable[DeployedProject], now: datetime, say: Say) -> list[CostEstimate]:
    """The estimates of deployed projects, in their order: four calls each, and one for each day with a run."""

    def read(deployed: DeployedProject) -> CostEstimate:
        size = deployed_settings(deployed.stack, deployed.project)
        price, _ = prices.fargate_prices(deployed.target.session.region, size.architecture)
        return estimate_cost(deployed.target.project, size, _read_usage(deployed, now, say), price)

    return list(map_concurrently(read, projects, PROJECTS_AT_ONCE))


def _read_usage(deployed: DeployedProject, now: datetime, say: Say) -> Usage:
    target = deployed.target
    since = record.timestamp((now - timedelta(days=DAYS)).timestamp())
    lines = list_runs(stored_history(target, say), HistoryQuery(since=since, last=None))
    images = ecr.read_images(target, resource_names.repository(target.name))
    stored = images.bytes if images else None
    scheduled = describe_existing(target.session, resource_names.schedule_stack(target.name))
    is_checked = deployed.project is not None and deployed.project.expect.success_within is not None
    return Usage(
        billed_seconds(lines), ALARMS if scheduled else 0, read_log_bytes(target), stored, is_checked=is_checked
    )


def billed_seconds(lines: Iterable[HistoryLine]) -> tuple[float, ...]:
    """The durations of runs on Fargate: a refused one has ended at once, a killed one has recorded none."""
    on_fargate = (line.get("seconds") for line in lines if line.get("trigger") != "local")
    return tuple(float(seconds) for seconds in on_fargate if seconds is not None)


def cost_table(costs: Sequence[CostEstimate]) -> str:
    """One line a project; empty where there is none."""
    rows = []
    for cost in costs:
        runs = cost.usage.runs
        parts = (_usd(cost.fixed[name]) if name in cost.fixed else "?" for name in ("steps", "alarms", "log", "images"))
        rows.append(
            (
                cost.project,
                f"{cost.size.cpu / 1024:g} vCPU, {cost.size.memory / 1024:g} GB",
                str(len(runs)),
                duration(sum(runs) / len(runs) if runs else None),
                _range(cost.run, 5),
                _range(cost.fargate),
                *parts,
                _range(cost.month),
            )
        )
    return table(HEAD, rows, right=HEAD[2:]) if rows else ""


def _usd(amount: float, digits: int = 2) -> str:
    return f"{amount:.{digits}f}"


def _range(amounts: tuple[float, float], digits: int = 2) -> str:
    low, high = (_usd(amount, digits) for amount in amounts)
    return high if low == high else f"{low}-{high}"


def cost_notes(costs: Sequence[CostEstimate], region: str) -> tuple[str, ...]:
    """What the estimate takes for granted, and what it leaves out."""
    used = prices.fargate_prices(region, "x86_64")[1]
    other = "" if used == region else f"; those of {region} are not listed, and may be 10 to 30 % higher"
    billed = f"for its duration and {STARTUP:.0f} s to start (assumed), for {prices.SHORTEST} s at least"
    notes = [
        f"an estimate in USD, with prices of {used} of {prices.DATE} (handoff_kit/aws/prices.py){other}",
        f"RUNS are those of the last {DAYS} days with a duration, MONTH is what they cost; a run is billed {billed}",
    ]
    if any(cost.size.spot for cost in costs):
        notes.append(f"Spot costs up to {prices.SPOT_DISCOUNT:.0%} less than the higher figure")
    left_out = "taxes, free tiers, data transfer, public addresses, NAT gateways, S3, and what the log takes in"
    return (*notes, f"left out: {left_out}")


def cost_as_json(cost: CostEstimate, region: str) -> dict[str, Any]:
    """An estimate for programs: USD, rounded to a millionth."""
    low, high = cost.month
    runs = cost.usage.runs
    return {
        "project": cost.project,
        "cpu": cost.size.cpu,
        "memory": cost.size.memory,
        "storage": cost.size.storage,
        "architecture": cost.size.architecture,
        "spot": cost.size.spot,
        "days": DAYS,
        "runs": len(runs),
        "average_seconds": round(sum(runs) / len(runs), 3) if runs else None,
        "run": {"lowest": round(cost.run[0], 6), "highest": round(cost.run[1], 6)},
        "fargate": {"lowest": round(cost.fargate[0], 6), "highest": round(cost.fargate[1], 6)},
        **{name: round(amount, 6) for name, amount in cost.fixed.items()},
        "month": {"lowest": round(low, 6), "highest": round(high, 6)},
        "currency": "USD",
        "prices": {"region": prices.fargate_prices(region, "x86_64")[1], "date": prices.DATE},
    }
