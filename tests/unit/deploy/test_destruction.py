"""What is planned to be removed, in which order, and what is said where AWS keeps some of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws import buckets, ecr
from handoff_kit.aws.buckets import StoredObjects
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.ecr import StoredImages
from handoff_kit.aws.target import Target
from handoff_kit.deploy import destroy
from handoff_kit.deploy.destroy import plan_deletion, state_machines
from handoff_kit.deploy.inventory import Inventory, deleted_lines, kept_lines, remaining_lines
from handoff_kit.errors import AWSError
from handoff_kit.steps import ApiCall, ApiCalls, DeleteStack, EndRuns

NAME = "handoff-dev-shop"
AGAIN = "invoke destroy --project shop"
STACK = Target("shop", "dev", NAME, "b", "--project shop", cast("Any", None))
DATA = StoredObjects("b", f"{NAME}/", (("k", "1"), ("k", "2")), (), 1, 10)
IMAGES = StoredImages(NAME, ("sha256:list",), ("sha256:a", "sha256:b"), 30)
NOTHING = Inventory(None, None, None, None, None, None, None)


def deployed(name: str, status: str = "CREATE_COMPLETE") -> StackDescription:
    return StackDescription(name, status)


EVERYTHING = Inventory(
    deployed(f"{NAME}-schedule"), deployed(NAME), deployed(f"{NAME}-registry"), IMAGES, 5, DATA, params_version=3
)


class Answering:
    """An AWS that answers as told."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.answer = answer

    def call(self, _service: str, _operation: str, **_request: object) -> dict[str, Any] | None:
        return self.answer


# what a run stores before it ends


def test_what_a_run_stores_at_its_end_is_deleted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data are read again once no run is under way."""
    more = StoredObjects("b", f"{NAME}/", (*DATA.versions, ("record", "3")), (), 2, 20)
    before = Inventory(None, deployed(NAME), None, None, None, DATA, None)
    found, performed = [before, replace(before, data=more), NOTHING], list[Any]()
    monkeypatch.setattr(destroy, "read_inventory", lambda *_, **__: found.pop(0))
    monkeypatch.setattr(destroy, "describe_runs", lambda *_: ("execution run-1",))
    monkeypatch.setattr(destroy, "check_params_owner", lambda _: None)

    def perform(steps: tuple[Any, ...], *_: object) -> int:
        performed.extend(steps)
        return len(steps)

    monkeypatch.setattr(destroy, "apply", perform)
    destroy.destroy_project(STACK, "c", data=True, options=ApplyOptions(lambda _: None, yes=True), running="wait")
    assert shape(tuple(performed)) == ["idle c", "idle c", NAME, "delete_objects"]
    request: Any = performed[-1].calls[0].request
    assert [each["VersionId"] for each in request["Delete"]["Objects"]] == ["1", "2", "3"]
    assert found == []


# the order


def shape(steps: tuple[Any, ...]) -> list[str]:
    """Each step in a word."""
    return [_word(step) for step in steps]


def _word(step: Any) -> str:
    match step:
        case DeleteStack(name):
            return name
        case EndRuns(cluster):
            return f"idle {cluster}"
        case _:
            return " and ".join(call.operation for call in step.calls)


@pytest.mark.parametrize(
    ("found", "everything", "expected"),
    [
        pytest.param(NOTHING, True, [], id="nothing is there"),
        pytest.param(
            EVERYTHING,
            False,
            [f"{NAME}-schedule", "idle c", NAME, "batch_delete_image", "batch_delete_image", f"{NAME}-registry"],
            id="data stays",
        ),
        pytest.param(
            EVERYTHING,
            True,
            [
                *(f"{NAME}-schedule", "idle c", NAME, "batch_delete_image", "batch_delete_image", f"{NAME}-registry"),
                *("delete_objects", "delete_parameter"),
            ],
            id="data goes last",
        ),
        pytest.param(
            Inventory(None, None, None, IMAGES, 5, DATA, 3), False, [], id="what no stack of ours holds is left alone"
        ),
    ],
)
def test_what_is_done_and_when(found: Inventory, everything: bool, expected: list[str]) -> None:  # noqa: FBT001
    assert shape(plan_deletion(STACK, found, EndRuns("c", (), AGAIN, everything))) == expected


def test_runs_of_a_state_machine_of_an_earlier_version_end_before_its_stack_goes() -> None:
    found = replace(EVERYTHING, schedule_stack=StackDescription("x", "CREATE_COMPLETE", outputs={"Machine": "arn"}))
    steps = plan_deletion(STACK, found, EndRuns("c", state_machines(found), AGAIN, running="stop"))
    assert shape(steps)[:3] == ["idle c", f"{NAME}-schedule", "idle c"]
    assert steps[0] == EndRuns("c", ("arn",), AGAIN, running="stop")


def test_every_step_says_how_to_do_it_again() -> None:
    steps = plan_deletion(STACK, EVERYTHING, EndRuns("c", (), f"{AGAIN} --data", data=True))
    assert {one.command for one in steps if isinstance(one, DeleteStack)} == {f"{AGAIN} --data"}


def test_an_image_that_names_others_goes_before_them() -> None:
    first, second = ecr.plan_image_deletion(IMAGES)
    assert [[call.request["imageIds"] for call in one.calls] for one in (first, second)] == [
        [[{"imageDigest": "sha256:list"}]],
        [[{"imageDigest": "sha256:a"}, {"imageDigest": "sha256:b"}]],
    ]


@pytest.mark.parametrize(
    ("count", "calls"),
    [
        pytest.param(0, [], id="none"),
        pytest.param(1, [1], id="one"),
        pytest.param(1000, [1000], id="as many as a call takes"),
        pytest.param(2001, [1000, 1000, 1], id="more"),
    ],
)
def test_versions_go_a_thousand_a_call(count: int, calls: list[int]) -> None:
    versions = tuple((f"k{number}", "v") for number in range(count))
    made = buckets.plan_object_deletion(StoredObjects("b", "p/", versions))
    requests = [cast("Any", call.request["Delete"])["Objects"] for one in made for call in one.calls]
    assert [len(objects) for objects in requests] == calls
    assert [(one["Key"], one["VersionId"]) for objects in requests for one in objects] == list(versions)


# what is told


def test_what_goes_and_what_stays() -> None:
    kept = (
        "s3://b/handoff-dev-shop/: 1 object, 2 versions, 10 bytes",
        "parameter handoff-dev-shop__params (version 3)",
    )
    gone = (
        "stack handoff-dev-shop-schedule",
        "stack handoff-dev-shop, with its log (5 bytes)",
        "stack handoff-dev-shop-registry, with 3 images (30 bytes)",
    )
    assert (deleted_lines(STACK, EVERYTHING, data=False), kept_lines(STACK, EVERYTHING, data=False)) == (gone, kept)
    assert (deleted_lines(STACK, EVERYTHING, data=True), kept_lines(STACK, EVERYTHING, data=True)) == (
        (*gone, *kept),
        (),
    )
    loose = Inventory(None, None, None, IMAGES, 5, None, None)
    assert kept_lines(STACK, loose, data=True) == (
        "log group /handoff/handoff-dev-shop, of no stack",
        "repository handoff-dev-shop, of no stack",
    )


def test_data_that_was_not_counted_to_the_end() -> None:
    some = StoredObjects("b", "p/", (("k", "1"),), (("k", "u"),), 1, 10, complete=False)
    assert some.description == "s3://b/p/: at least 1 object, 1 version, 10 bytes, 1 unfinished uploads"


@pytest.mark.parametrize(
    ("now", "everything", "expected"),
    [
        pytest.param(NOTHING, True, (), id="all is gone"),
        pytest.param(Inventory(None, None, None, None, None, DATA, 3), False, (), id="data stays"),
        pytest.param(
            Inventory(None, None, None, None, None, DATA, None),
            True,
            ("s3://b/handoff-dev-shop/: 1 object, 2 versions, 10 bytes",),
            id="data is still there",
        ),
        pytest.param(
            Inventory(None, deployed(NAME, "DELETE_FAILED"), None, None, None, None, None),
            False,
            ("stack handoff-dev-shop",),
            id="a stack is still there",
        ),
        pytest.param(
            Inventory(None, None, None, IMAGES, 5, None, None),
            False,
            ("log group /handoff/handoff-dev-shop", "repository handoff-dev-shop"),
            id="what the stacks held is still there",
        ),
    ],
)
def test_what_a_second_look_calls_left(now: Inventory, everything: bool, expected: tuple[str, ...]) -> None:  # noqa: FBT001
    assert remaining_lines(STACK, EVERYTHING, now, data=everything) == expected


REMOVE = ApiCalls((ApiCall("delete 2 versions below s3://b/p/", "s3", "delete_objects", {}),))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({}, None, id="done"),
        pytest.param(None, None, id="there is no bucket any more"),
        pytest.param({"Errors": [{"Key": "a", "Code": "NoSuchVersion"}]}, None, id="gone already"),
        pytest.param(
            {"Errors": [{"Key": "a", "Code": "AccessDenied"}]}, "a not deleted (AccessDenied)", id="one is kept"
        ),
        pytest.param(
            {"Errors": [{"Key": key, "Code": "InternalError"} for key in "abc"]},
            "a not deleted (InternalError), nor 2 others",
            id="three are kept",
        ),
        pytest.param(
            {"failures": [{"imageId": {"imageDigest": "d"}, "failureCode": "ImageNotFound"}]}, None, id="no such image"
        ),
        pytest.param(
            {"failures": [{"imageId": {"imageDigest": "d"}, "failureCode": "ImageReferencedByManifestList"}]},
            "image d not deleted (ImageReferencedByManifestList)",
            id="an image is kept",
        ),
    ],
)
def test_what_aws_keeps_is_told(answer: dict[str, Any] | None, expected: str | None) -> None:
    said: list[str] = []
    target = replace(STACK, session=cast("Any", Answering(answer)))
    if expected is None:
        apply((REMOVE,), target, ApplyOptions(said.append))
        assert said == ["delete 2 versions below s3://b/p/"]
        return
    with pytest.raises(AWSError) as caught:
        apply((REMOVE,), target, ApplyOptions(said.append))
    assert (said, caught.value.message) == ([], f"delete 2 versions below s3://b/p/: {expected}")
