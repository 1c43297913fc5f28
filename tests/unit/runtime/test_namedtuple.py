"""Frozen records: what NamedTuple promises, kept without it."""

from __future__ import annotations

import pytest

from handoff_runtime.supervisor.outcome import StageExit
from handoff_runtime.supervisor.process import Usage


def test_a_value_is_a_tuple_with_names() -> None:
    usage = Usage(1.5, peak_bytes=7)
    assert (usage, usage.cpu_seconds, usage.peak_bytes, tuple(usage)) == ((1.5, 7), 1.5, 7, (1.5, 7))
    assert (repr(usage), usage._asdict()) == (
        "Usage(cpu_seconds=1.5, peak_bytes=7)",
        {"cpu_seconds": 1.5, "peak_bytes": 7},
    )
    assert hash(usage) == hash((1.5, 7))


def test_a_value_has_defaults_and_is_replaced_never_changed() -> None:
    ending = StageExit(1, 2.0)
    changed = ending._replace(reader_left=True)
    assert (ending, changed, type(changed)) == ((1, 2.0, False, False, None), (1, 2.0, False, True, None), StageExit)
    with pytest.raises(AttributeError):
        ending.status = 3  # type: ignore[misc]  # that it cannot is what is tested


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param((1,), {}, id="too few"),
        pytest.param((1, 2, 3), {}, id="too many"),
        pytest.param((1,), {"peak": 2}, id="unknown"),
        pytest.param((), {"cpu_seconds": 1}, id="one named"),
    ],
)
def test_a_value_takes_its_fields_and_no_other(given: tuple[float, ...], named: dict[str, float]) -> None:
    with pytest.raises(TypeError, match="Usage takes cpu_seconds, peak_bytes"):
        Usage(*given, **named)  # type: ignore[arg-type]  # that it cannot is what is tested
