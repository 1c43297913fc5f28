"""When a lease is free, and what is told of one that is not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from handoff_runtime.aws import lease as leases
from handoff_runtime.aws.lease import Lease, StoredLease


@pytest.mark.parametrize(
    ("claim", "age", "expected"),
    [
        pytest.param({"released": True, "lease_seconds": 90}, 0, True, id="released"),
        pytest.param({"released": False, "lease_seconds": 90}, 0, False, id="held"),
        pytest.param({"released": False, "lease_seconds": 90}, 90, False, id="at its end"),
        pytest.param({"released": False, "lease_seconds": 90}, 91, False, id="within the second times are told in"),
        pytest.param({"released": False, "lease_seconds": 90}, 92, True, id="dead"),
        pytest.param({"released": False, "lease_seconds": 5}, 7, True, id="dead by its own measure"),
        pytest.param({}, 91, False, id="says nothing"),
        pytest.param({}, 92, True, id="says nothing, long ago"),
        pytest.param({"lease_seconds": "long"}, 92, True, id="says nonsense"),
    ],
)
def test_free(claim: dict[str, Any], age: float, expected: bool) -> None:  # noqa: FBT001
    assert leases.is_free(StoredLease(claim, '"x"', age)) == expected


def test_who_holds_it_is_told() -> None:
    assert (
        str(StoredLease({"run_id": "r1", "holder": "host:7:ab"}, '"x"', 12.4))
        == "run r1 holds it (host:7:ab, last heartbeat 12 s ago)"
    )


def test_what_is_left_is_counted_by_our_own_clock() -> None:
    lease = Lease("b", "s/.lock", {"lease_seconds": 90}, '"x"', time.monotonic() - 30)
    assert 59 < lease.left <= 60
