"""Prices of AWS in USD, without taxes and free tiers. Change DATE and SOURCES with them.

Fargate: Linux, by region and architecture. A region that is not listed has the prices of DEFAULT_REGION, which are
10 to 30 % lower than those of most others.
"""

from __future__ import annotations

from dataclasses import dataclass

DATE = "2026-06"
"""Until when the prices of Fargate were seen unchanged."""
SOURCES = (
    "https://aws.amazon.com/fargate/pricing/",
    "https://www.factualminds.com/blog/amazon-fargate-ecs-task-pricing-2026.md (June 2026)",
    "https://cloudburn.io/blog/aws-fargate-pricing (March 2026)",
    "https://www.vantage.sh/blog/fargate-pricing (ARM, storage)",
    "https://aws.amazon.com/step-functions/pricing/",
)
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class FargatePrices:
    """Of an hour: a vCPU, a GB of memory, and a GB of storage beyond what is free."""

    vcpu: float
    memory: float
    storage: float


FARGATE = {
    "us-east-1": {
        "x86_64": FargatePrices(0.04048, 0.004445, 0.000111),
        "arm64": FargatePrices(0.03238, 0.00356, 0.000111),
    },
}
FREE_STORAGE = 20
"""GiB of each task."""
SHORTEST = 60
"""Seconds that a task is billed for at least. It is billed from the pull of its image to its end, to the second."""
SPOT_DISCOUNT = 0.7
"""At most; the price of Fargate Spot changes."""
TRANSITION = 0.025 / 1000
"""Of a state that a standard execution of Step Functions enters."""
ALARM = 0.10
"""A month, of a CloudWatch alarm of standard resolution."""
LOG_STORAGE, IMAGE_STORAGE = 0.03, 0.10
"""A month, of a GB that CloudWatch Logs and ECR hold."""


def fargate_prices(region: str, architecture: str) -> tuple[FargatePrices, str]:
    """The prices of a region, and the region that they are of."""
    used = region if region in FARGATE else DEFAULT_REGION
    return FARGATE[used][architecture], used
