"""Rollbacks: which release is chosen, what is deployed of it, what is told of the params, and when there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest
from doubles.rendered_templates import ROOT

from handoff_kit.aws import deployments, history
from handoff_kit.aws.artifacts import check_run_id
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.ecr import StoredImage
from handoff_kit.aws.params import DamagedParams, StoredParams
from handoff_kit.aws.target import Target
from handoff_kit.deploy import rollback, templates
from handoff_kit.deploy.rollback import (
    CurrentRelease,
    Release,
    Rollback,
    describe_rollback,
    find_release,
    params_changes,
    plan_rollback,
    read_rollback,
)
from handoff_kit.errors import HandoffError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.model import Project
from handoff_kit.resource_names import owner_tags
from handoff_kit.steps import DeployStack, StoreParams
from handoff_runtime.aws.references import Reference
from handoff_runtime.params import parse_params

NAME = "handoff-dev-shop"
URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/handoff-dev-shop"
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
PARAMETERS = {"Image": f"{URI}@{B}", "Source": "bbbbbbbbbbbb", "Base": "2026-02-01", "Bucket": "bucket", "Subnets": "s"}
STACK = StackDescription(
    NAME, "UPDATE_COMPLETE", PARAMETERS, {"Image": f"{URI}@{B}"}, owner_tags("shop", "dev"), "Resources: {}\n"
)
PUSHED = datetime(2026, 1, 2, tzinfo=timezone.utc)
IMAGES = [
    StoredImage(B, ("bbbbbbbbbbbb-base20260201",), PUSHED, 2),
    StoredImage(A, ("aaaaaaaaaaaa-base20260101-20260102T000000Z",), PUSHED, 1),
]
NEWEST = 6


def document(*files: tuple[str, str], **pipeline: Any) -> dict[str, Any]:
    stages = [{"name": "echo", "argv": ["echo"]}]
    whole = {"format": 1, "project": "shop", "environment": "dev", "stages": stages, **pipeline}
    return {"format": 1, "pipeline": whole, "files": [{"name": name, "value": value} for name, value in files]}


def stored(version: int, found: dict[str, Any]) -> StoredParams:
    return StoredParams(version, parse_params(json.dumps(found).encode(), "here"))


VERSIONS = {
    3: document(("tap.json", '{"token": "hunter2"}'), overlap="fail"),
    5: document(("tap.json", '{"token": "ssm:/shop/token"}')),
    NEWEST: document(("tap.json", '{"token": "hunter3"}'), ("new.json", "{}"), overlap="fail"),
    7: document(("tap.json", '{"token": "hunter3"}'), ("new.json", "{}"), overlap="fail"),
}


def run(number: int, digest: str | None, version: int | None, **more: Any) -> dict[str, Any]:
    return {
        "run_id": f"R{number}",
        "project": "shop",
        "started_at": f"2026-03-01T0{number}:00:00.000Z",
        "command": "run",
        "outcome": "succeeded",
        "image_digest": digest,
        "params_version": version and str(version),
        **more,
    }


def release(run: str, digest: str, version: int) -> Release:
    return Release(digest, version, f"run {run}", run)


@pytest.fixture
def current(monkeypatch: pytest.MonkeyPatch) -> CurrentRelease:
    """Image B and version 6 are deployed; version 4 is not kept any more."""
    monkeypatch.setattr(
        rollback, "find_params", lambda _, version: stored(version, VERSIONS[version]) if version in VERSIONS else None
    )
    monkeypatch.setattr(rollback, "list_images", lambda *_: IMAGES)
    monkeypatch.setattr(rollback, "stored_versions", lambda _: [{"Version": 5}, {"Version": NEWEST}])
    target = Target("shop", "dev", NAME, "bucket", "--project shop", cast("Any", None))
    return CurrentRelease(target, STACK, stored(NEWEST, VERSIONS[NEWEST]), list[str]().append)


def put_runs(monkeypatch: pytest.MonkeyPatch, *runs: dict[str, Any]) -> None:
    """The history, the newest run last."""

    def read(_: object) -> list[bytes]:
        return ["".join(f"{json.dumps(each)}\n" for each in runs).encode()]

    source = history.HistorySource(("2026-03-01",), read, None, "", print)
    monkeypatch.setattr(rollback, "stored_history", lambda *_: source)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([run(1, A, 3)], release("R1", A, 3), id="another image and other params"),
        pytest.param([run(1, A, 3), run(2, B, 6)], release("R1", A, 3), id="not the deployed one"),
        pytest.param([run(1, A, 3), run(2, B, 7)], release("R1", A, 3), id="nor one of equal params"),
        pytest.param([run(1, A, 3), run(2, B, 3)], release("R2", B, 3), id="other params alone"),
        pytest.param([run(1, A, 3), run(2, A, 6)], release("R2", A, 6), id="another image alone"),
        pytest.param([run(1, A, 3), run(2, A, 6, outcome="failed")], release("R1", A, 3), id="no failed run"),
        pytest.param([run(1, A, 3), run(2, A, 6, outcome="skipped")], release("R1", A, 3), id="no skipped one"),
        pytest.param([run(1, A, 3), run(2, A, 6, command="report")], release("R1", A, 3), id="no function"),
        pytest.param([run(1, A, 3), run(2, None, 6)], release("R1", A, 3), id="no run of a workstation"),
        pytest.param([run(1, A, 3), run(2, A, None)], release("R1", A, 3), id="none without params"),
        pytest.param([run(1, B, 4)], release("R1", B, 4), id="one whose params are gone, which is an error later"),
        pytest.param([run(1, B, 6), run(2, A, 3, outcome="failed")], None, id="none"),
    ],
)
def test_the_newest_successful_run_of_another_release(
    monkeypatch: pytest.MonkeyPatch, current: CurrentRelease, runs: list[dict[str, Any]], expected: Release | None
) -> None:
    put_runs(monkeypatch, *runs)
    if expected:
        assert find_release(current, "") == expected
        return
    with pytest.raises(HandoffError) as raised:
        find_release(current, "")
    assert str(raised.value) == (
        "error: project shop: found no successful run of another image or other params\n"
        "hint: see which runs there are: invoke history --remote --project shop"
    )


def test_after_damage_every_run_is_of_another_release(monkeypatch: pytest.MonkeyPatch, current: CurrentRelease) -> None:
    put_runs(monkeypatch, run(1, B, 6))
    damaged = replace(current, stored=DamagedParams(8))
    assert find_release(damaged, "") == release("R1", B, 6)


SEE_RUNS = "\nhint: see which runs there are: invoke history --remote --project shop"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        pytest.param("R1", release("R1", A, 3), id="a run"),
        pytest.param("3", Release(C, 3, "the deployment of T3", "3"), id="the newest deployment of a version"),
        pytest.param("5", Release(A, 5, "run R5", "R5"), id="a version of no recorded deployment"),
        pytest.param(
            "9",
            "error: --to: found no deployment and no successful run with version 9 of the params\n"
            "hint: see which versions there are: invoke params.history --project shop",
            id="an unknown version",
        ),
        pytest.param(
            "R7", f"error: --to: run R7 is one of project other, expected shop{SEE_RUNS}", id="a run of another project"
        ),
        pytest.param(
            "R8",
            f"error: --to: run R8 has no image and version of params in its record, expected a run on Fargate{SEE_RUNS}",
            id="a run of a workstation",
        ),
        *(
            pytest.param(
                to,
                f"error: --to: found no run {to!r}, expected the id of a run, e.g. 20270131T060000Z-3fc643, or a version "
                f"of the params, e.g. 3{SEE_RUNS}",
                id=name,
            )
            for name, to in (("no run", "latest"), ("no id", "../x"))
        ),
    ],
)
def test_what_to_names(
    monkeypatch: pytest.MonkeyPatch, current: CurrentRelease, to: str, expected: Release | str
) -> None:
    runs = [run(1, A, 3), run(5, A, 5), run(7, A, 3, project="other"), run(8, None, 3)]
    put_runs(monkeypatch, *runs)
    records = {each["run_id"]: history.RecordedRun(each, "") for each in runs}

    def stored_run(_: Target, name: str) -> history.RecordedRun:
        check_run_id(name)
        if name not in records:
            raise history.UnknownRunError("none")
        return records[name]

    monkeypatch.setattr(rollback, "stored_run", stored_run)
    recorded = [(A, 3, "T1"), (C, 3, "T3"), (B, 6, "T4")]
    lines = [deployments.Deployment(when, "ann", digest, "", "", version) for digest, version, when in recorded]
    monkeypatch.setattr(rollback, "read_deployments", lambda *_: lines)
    if isinstance(expected, Release):
        assert find_release(current, to) == expected
        return
    with pytest.raises(HandoffError) as raised:
        find_release(current, to)
    assert str(raised.value) == expected


def test_a_run_that_failed_is_noted(monkeypatch: pytest.MonkeyPatch, current: CurrentRelease) -> None:
    said: list[str] = []
    record = history.RecordedRun(run(1, A, 3, outcome="failed"), "")
    monkeypatch.setattr(rollback, "stored_run", lambda *_: record)
    assert find_release(replace(current, say=said.append), "R1") == release("R1", A, 3)
    assert said == ["note: run R1 was no successful run of the pipeline (failed)"]


@pytest.mark.parametrize(
    ("wanted", "runs", "expected"),
    [
        pytest.param(
            release("R1", C, 3),
            [run(1, C, 3), run(2, A, 3)],
            f"error: image {C} of run R1: not in the registry any more\n"
            "hint: the newest other run whose image is there: invoke rollback --to R2 --project shop",
            id="an image that is gone",
        ),
        pytest.param(
            release("R1", C, 3),
            [run(1, C, 3), run(2, B, 6)],
            f"error: image {C} of run R1: not in the registry any more\n"
            "hint: no image of another run is left; correct the project, then: invoke deploy --project shop",
            id="all are gone",
        ),
        pytest.param(
            release("R1", A, 4),
            [],
            "error: parameter handoff-dev-shop__params: version 4, of run R1, is not kept any more\n"
            "hint: Parameter Store keeps the last 100, now 5 to 6; see which runs there are: "
            "invoke history --remote --json --project shop",
            id="a version that is gone",
        ),
        pytest.param(
            release("R1", A, 5),
            [],
            "error: params of run R1: refer to ssm:/shop/token, which the deployed role of the task may not read\n"
            "hint: a deployment grants it: invoke params.pull --force --version 5 --project shop && "
            "invoke deploy --project shop; then: invoke rollback --to R1 --project shop",
            id="a reference that is not granted",
        ),
    ],
)
def test_what_cannot_be_rolled_back(
    monkeypatch: pytest.MonkeyPatch,
    current: CurrentRelease,
    wanted: Release,
    runs: list[dict[str, Any]],
    expected: str,
) -> None:
    put_runs(monkeypatch, *runs)
    with pytest.raises(HandoffError) as raised:
        read_rollback(current, wanted, advanced=False)
    assert str(raised.value) == expected


def test_the_references_that_a_template_grants() -> None:
    loaded = Project.model_validate({"commands": [{"command": "a"}]})
    granted = {Reference("ssm", "/shop/token"), Reference("secretsmanager", "db", "user")}
    text = templates.render_task_template(ROOT, "shop", loaded, NAME, "dev", references=granted)
    others = {Reference("ssm", "/shop/tok"), Reference("secretsmanager", "d")}
    again = Reference("secretsmanager", "db", "password")
    assert templates.ungranted_references(text, {*granted, *others, again}) == sorted(others)


def test_the_deployed_template_gets_the_earlier_image_and_the_params_a_new_version(current: CurrentRelease) -> None:
    found = Rollback(release("R1", A, 3), IMAGES[1], VERSIONS[3])
    stack, push = plan_rollback(found, current, ProjectPaths("shop", Path("/root")), "again")
    earlier = {"Image": f"{URI}@{A}", "Source": "aaaaaaaaaaaa", "Base": "2026-01-01"}
    assert stack == DeployStack(
        NAME,
        Path("/root/build/shop/task.yml"),
        STACK.template,
        {**PARAMETERS, **earlier},
        STACK.tags,
        "again",
        "bucket",
        made_from=STACK.template,
    )
    assert isinstance(push, StoreParams)
    assert (push.document, push.base, push.removed) == (VERSIONS[3], NEWEST, ())
    assert push.change
    assert push.change.request["Overwrite"]


def test_params_that_are_stored_already_are_not_stored_again(current: CurrentRelease) -> None:
    found = Rollback(release("R1", A, NEWEST), IMAGES[1], VERSIONS[NEWEST])
    _, push = plan_rollback(found, current, ProjectPaths("shop", Path("/root")), "again")
    assert isinstance(push, StoreParams)
    assert push.change is None


def test_what_is_told_names_keys_and_files_and_no_value(current: CurrentRelease) -> None:
    found = Rollback(release("R1", A, 3), IMAGES[1], VERSIONS[3])
    lines = list(describe_rollback(found, current))
    assert lines == [
        "roll back handoff-dev-shop to run R1: image aaaaaaaaaaaa, params version 3",
        "params:",
        "  - .local/new.json",
        "  ~ .local/tap.json",
        "not rolled back: files, state, schedules, keep, success_within, stack template (size, network, permissions, alerts)",
    ]
    damaged = replace(current, stored=DamagedParams(8))
    assert list(describe_rollback(found, damaged))[1] == "params: version 8 is damaged, and is replaced"
    equal = Rollback(release("R1", A, 6), IMAGES[1], VERSIONS[NEWEST])
    assert list(describe_rollback(equal, current))[1] == "params: no changes"


def test_keep_and_success_within_stay_as_they_are_deployed(
    monkeypatch: pytest.MonkeyPatch, current: CurrentRelease
) -> None:
    """An earlier document of other ones is the deployed one nevertheless."""
    keep, expect = {"runs": 30, "artifacts": 7, "states": 10}, {"success_within": 3600, "rows_at_least": 1}
    earlier = document(keep={**keep, "runs": 90}, expect={"rows_at_least": 2})
    monkeypatch.setitem(VERSIONS, 3, earlier)
    newest = replace(current, stored=stored(NEWEST, document(keep=keep, expect=expect)))
    assert newest.read_document(3) == document(keep=keep, expect={"success_within": 3600, "rows_at_least": 2})
    without = replace(current, stored=stored(NEWEST, document()), documents={})
    monkeypatch.setitem(VERSIONS, 3, document(keep=keep, expect={"success_within": 60}))
    assert without.equals(release("R1", B, 3))


def test_the_changes_of_the_pipeline() -> None:
    before = document(vars={"base": "EUR", "gone": "1"}, overlap="fail")
    after = document(("a", "x"), vars={"base": "JPY", "back": "1"}, overlap="fail")
    assert list(params_changes(before, after)) == ["  + vars.back", "  ~ vars.base", "  - vars.gone", "  + .local/a"]
