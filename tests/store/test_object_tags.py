"""Versions that an earlier handoff stored without tags, and those of a project whose `keep` changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.aws import object_tags
from handoff_kit.aws.params import StoredParams
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.steps import TagVersions
from handoff_runtime import params
from handoff_runtime.aws import lease
from handoff_runtime.retention import Keep

if TYPE_CHECKING:
    from doubles.fault_proxy import Proxy
    from doubles.moto_bucket import MotoBucket

KEEP = Keep(runs=365, artifacts=7, states=20)
EXPECTED = {
    ".artifacts/state": ("states", "20"),
    ".artifacts/state.bak": ("keep-old", "7"),
    ".env/files/a.csv": ("keep-old", "7"),
    ".lock": ("keep-old", "1"),
    "history/2026-01-01.jsonl": ("keep", "365"),
    "runs/x/run.json": ("keep", "365"),
}
VERSIONS = 2 * len(EXPECTED)
UNTAGGED = [("", "")]


@pytest.fixture
def target(moto_bucket: MotoBucket, proxy: Proxy) -> Target:
    """A project with two versions of each object, none of which has a tag; another one, which nothing may be done to."""
    for key in (*EXPECTED, *EXPECTED):
        moto_bucket.put(f"{moto_bucket.stack}/{key}", b'{"released": true}')
    moto_bucket.put(f"{moto_bucket.stack}-2/.lock", b"{}")
    moto_bucket.boto("s3").delete_object(Bucket=moto_bucket.bucket, Key=f"{moto_bucket.stack}/.env/files/a.csv")
    session = moto_bucket.session(proxy)
    return Target("sample", "test", moto_bucket.stack, moto_bucket.bucket, "--project sample", session)


def tags(moto_bucket: MotoBucket) -> dict[str, set[tuple[str, str]]]:
    """The tags of all versions, by key below the stack."""
    s3, found = moto_bucket.boto("s3"), dict[str, set[tuple[str, str]]]()
    for one in s3.list_object_versions(Bucket=moto_bucket.bucket)["Versions"]:
        place = {"Bucket": moto_bucket.bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
        every = [(tag["Key"], tag["Value"]) for tag in s3.get_object_tagging(**place)["TagSet"]]
        found.setdefault(one["Key"].removeprefix(f"{moto_bucket.stack}/"), set()).update(every or UNTAGGED)
    return found


def stored(keep: Keep | None) -> StoredParams:
    """Params as a deployment stored them."""
    pipeline: dict[str, Any] = {"format": 1, "project": "sample", "stages": [{"name": "a", "argv": ["a"]}]}
    more = {"keep": keep._asdict()} if keep else {}
    document = {"format": 1, "pipeline": {**pipeline, **more}, "files": []}
    return StoredParams(1, params.parse_params(json.dumps(document).encode(), "test"))


@pytest.mark.parametrize(
    ("there", "versions"),
    [
        pytest.param(None, VERSIONS, id="no params"),
        pytest.param(stored(None), VERSIONS, id="params of an earlier handoff"),
        pytest.param(stored(Keep()), VERSIONS, id="another keep"),
        pytest.param(stored(KEEP), None, id="the same keep"),
    ],
)
def test_what_is_to_be_tagged(target: Target, there: StoredParams | None, versions: int | None) -> None:
    place = (target.bucket, f"{target.name}/")
    expected = TagVersions(*place, versions, KEEP) if versions else None
    assert object_tags.plan_tagging(target, KEEP, there) == expected


def test_every_version_is_tagged_and_an_interruption_is_made_up_for(
    target: Target, moto_bucket: MotoBucket, proxy: Proxy
) -> None:
    step = object_tags.plan_tagging(target, KEEP, stored(None))
    assert step
    fault = proxy.fault("answer", method="PUT", path="tagging", status=403, code="AccessDenied", every=8, times=1)
    with pytest.raises(AWSError, match="s3:PutObject"):
        object_tags.tag_versions(step, target, print)
    assert fault.done == 1
    assert tags(moto_bucket) != {
        **{key: {tag} for key, tag in EXPECTED.items()},
        f"{target.name}-2/.lock": set(UNTAGGED),
    }
    object_tags.tag_versions(step, target, print)
    assert tags(moto_bucket) == {
        **{key: {tag} for key, tag in EXPECTED.items()},
        f"{target.name}-2/.lock": set(UNTAGGED),
    }


def test_a_run_of_an_image_without_tags_is_waited_for(target: Target, moto_bucket: MotoBucket) -> None:
    """Its heartbeats take the tag from the lock; those of an image that knows tags renew it with one."""
    step, claim = TagVersions(target.bucket, f"{target.name}/", VERSIONS, KEEP), {"lease_seconds": 90, "holder": "x"}
    lock = json.dumps({**claim, "run_id": "old-run", "released": False}).encode()
    moto_bucket.put(f"{target.name}/.lock", lock)
    with pytest.raises(AWSError) as caught:
        object_tags.tag_versions(step, target, print)
    assert str(caught.value) == (
        "error: project sample: run old-run is in progress, of an image that tags nothing it stores\n"
        "hint: when it is over, tag that too: invoke deploy --project sample"
    )
    assert tags(moto_bucket)["runs/x/run.json"] == {("keep", "365")}
    moto_bucket.put(f"{target.name}/.lock", json.dumps({**claim, "run_id": "old-run", "released": True}).encode())
    assert isinstance(lease.acquire(target.session, target.bucket, target.name, "new-run"), lease.Lease)
    object_tags.tag_versions(step, target, print)
