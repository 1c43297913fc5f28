"""The partition of AWS that a region belongs to, and its domain: botocore's data, which grows with AWS."""

from __future__ import annotations

from handoff_runtime.namedtuple import NamedTuple


class Partition(NamedTuple):
    """`name` is the second part of an ARN, `domain` the end of the names of endpoints and registries."""

    name: str
    domain: str


def partition_of(region: str) -> Partition:
    """The partition of a region; that of an unknown one is `aws`, as for botocore's endpoints."""
    from botocore.endpoint_provider import RuleSetStandardLibrary
    from botocore.loaders import create_loader

    found = RuleSetStandardLibrary(create_loader().load_data("partitions")).aws_partition(region)
    return Partition(found["name"], found["dnsSuffix"])
