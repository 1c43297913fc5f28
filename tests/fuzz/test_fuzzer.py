"""A short part of the fuzzer's inputs, the same in each run; CONTRIBUTING.md shows how to run many."""

from __future__ import annotations

from fuzz import fuzzer

SEED, INPUTS = 13, 200


def test_no_input_ends_in_a_traceback() -> None:
    assert fuzzer.run(SEED, range(INPUTS)).findings == {}


def test_a_finding_is_reduced_to_what_it_needs() -> None:
    found = fuzzer.Finding("IndexError in reader.py:7", "")

    def run_input(_checkout: fuzzer.Checkout, given: fuzzer.Input) -> fuzzer.Trial:
        return fuzzer.Trial(accepted=False, seconds=0.0, finding=found if b"{" in given.parts["a"] else None)

    with fuzzer.fuzzing() as checkout:
        given = fuzzer.Input("data", {"a": b"some { text\n" * 3, "b": b"more"})
        assert fuzzer.reduce_input(checkout, given, found, run_input).parts == {"a": b"{", "b": b""}
