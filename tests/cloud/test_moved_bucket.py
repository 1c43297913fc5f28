"""The bucket a project is deployed with is the truth: another one is refused, and moved to with all data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from doubles.checkout import Told
    from doubles.deployed_project import Estate

pytestmark = [pytest.mark.network, pytest.mark.takes(65)]

COUNTS = """\
commands:
  - shell: "cat .artifacts/state 2>/dev/null || echo 0"
  - shell: "read n; echo counted from $n >&2; echo $((n + 1))"
deploy: {cpu: 256, memory: 512, stop_timeout: 2}
"""
PARTS = "from handoff_kit.aws import move_bucket\nmove_bucket.IN_PARTS = 5 << 20\n"
LARGE = bytes(range(256)) * (11 << 12)


def objects(estate: Estate, bucket: str) -> dict[str, bytes]:
    found = estate.account.objects(bucket, f"{estate.stack}/")
    return {name: content for name, content in found.items() if name != ".lock"}


def deployed_bucket(estate: Estate) -> tuple[str, str]:
    """As the stack tells, and as the task definition does."""
    outputs = estate.account.outputs(estate.stack)
    definition = estate.account.boto("ecs").describe_task_definition(taskDefinition=outputs["TaskDefinition"])
    environment = definition["taskDefinition"]["containerDefinitions"][0]["environment"]
    return outputs["Bucket"], {each["name"]: each["value"] for each in environment}["S3_BUCKET_NAME"]


def make_bucket(estate: Estate, name: str) -> str:
    s3 = estate.account.boto("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(estate: Estate, bucket: str, name: str, content: bytes, **more: Any) -> None:
    s3 = estate.account.boto("s3")
    s3.put_object(Bucket=bucket, Key=f"{estate.stack}/{name}", Body=content, **more)


def lines(told: Told, *starts: str) -> list[str]:
    return [line for line in told.stderr.splitlines() if line.startswith(starts)]


def test_a_project_moves_with_its_data(estate: Estate) -> None:
    """Deployed, run, refused, interrupted, moved, run again: the state goes on, and nothing is lost."""
    estate.rewrite(COUNTS)
    old, new = estate.bucket, make_bucket(estate, f"moved-{estate.account.number}")
    estate.must("deploy")
    estate.must("run")
    assert objects(estate, old)[".artifacts/state"] == b"1\n"
    put(estate, old, "runs/large/artifacts/big.bin", LARGE, Metadata={"about": "x"}, Tagging="keep=a%20b")
    put(estate, old, "odd//key", b"odd")
    before = objects(estate, old)

    refused(estate, old, new)
    operating_tasks_use_the_deployed_bucket(estate, old, new)
    not_while_a_run_is_under_way(estate, old, new)
    interrupted(estate, old, new)
    assert (objects(estate, old), deployed_bucket(estate)) == (before, (old, old))

    moved(estate, old, new)
    after_the_move(estate, old, new)


def refused(estate: Estate, old: str, new: str) -> None:
    """By a variable, and by the project file; nothing is changed."""
    at = estate.stable(old)
    told = estate.invoke("deploy", S3_BUCKET_NAME=new)
    assert (told.exit, lines(told, "error", "hint")) == (
        2,
        [
            f"error: project shop is deployed with bucket {at}; S3_BUCKET_NAME says {estate.stable(new)}",
            f"hint: to stay there: unset S3_BUCKET_NAME; to move files, artifacts, state and history: "
            f"S3_BUCKET_NAME={estate.stable(new)} invoke deploy --move-bucket --project shop",
        ],
    )
    estate.rewrite(COUNTS.replace("{cpu", f"{{bucket: {new}, cpu"))
    told = estate.invoke("deploy")
    assert told.exit == 2
    assert f"; deploy.bucket in projects/shop/project.yml says {estate.stable(new)}\n" in told.stderr
    estate.rewrite(COUNTS)
    assert (objects(estate, new), deployed_bucket(estate)) == ({}, (old, old))


def operating_tasks_use_the_deployed_bucket(estate: Estate, old: str, new: str) -> None:
    note = f"project shop is deployed with bucket {estate.stable(old)}; S3_BUCKET says {estate.stable(new)}"
    shown = estate.must("state.show", S3_BUCKET=new)
    assert (shown.stdout, lines(shown, "note")) == ("1\n", [f"note: {note}; {estate.stable(old)} is used"])
    assert "succeeded" in estate.must("history", "--remote", S3_BUCKET=new).stdout
    told = estate.must("status", S3_BUCKET=new)
    assert (lines(told, "note"), "last run   -" in told.stdout) == ([f"note: {note}"], False)
    told = estate.must("run", "--dry", S3_BUCKET=new)
    assert lines(told, "note") == [f"note: {note}; {estate.stable(old)} is used"]


def not_while_a_run_is_under_way(estate: Estate, old: str, new: str) -> None:
    s3, key = estate.account.boto("s3"), f"{estate.stack}/.lock"
    kept = s3.get_object(Bucket=old, Key=key)["Body"].read()
    claim = {"run_id": "R", "holder": "h", "released": False, "lease_seconds": 600}
    s3.put_object(Bucket=old, Key=key, Body=json.dumps(claim).encode())
    told = estate.invoke("deploy", "--move-bucket", S3_BUCKET_NAME=new)
    assert told.exit == 1
    assert f"error: bucket {estate.stable(old)}: a run of project shop is in progress: run R holds it" in told.stderr
    s3.put_object(Bucket=old, Key=key, Body=kept)


def interrupted(estate: Estate, old: str, new: str) -> None:
    """One copy is refused: the stack is not touched, the lease is given back, and some of the data are there."""
    fault = estate.proxy.fault("answer", method="PUT", path="odd//key", status=403, code="AccessDenied")
    told = estate.invoke("deploy", "--move-bucket", S3_BUCKET_NAME=new)
    assert (told.exit, "change stack" in told.stderr) == (1, False)
    if fault in estate.proxy.faults:
        estate.proxy.faults.remove(fault)
    assert ".moving" in objects(estate, new)
    lock = json.loads(estate.account.objects(old, f"{estate.stack}/.lock")[""])
    assert lock["released"] is True
    put(estate, new, "runs/stale", b"copied, and gone since")


def moved(estate: Estate, old: str, new: str) -> None:
    dry = estate.must("deploy", "--dry", "--move-bucket", S3_BUCKET_NAME=new)
    before = objects(estate, old)
    copies = f"copy {len(before)} objects"
    assert len(lines(dry, f"would {copies}")) == 1
    assert deployed_bucket(estate) == (old, old)
    with estate.patched(PARTS):
        told = estate.must("deploy", "--move-bucket", S3_BUCKET_NAME=new)
    at = f"s3://{estate.stable(old)}/{estate.stack}/"
    assert lines(told, copies, "copied", "the data", "hint") == [
        f"{copies} ({sum(map(len, before.values())):,} bytes) from {at} to s3://{estate.stable(new)}/{estate.stack}/",
        f"copied: {len(before)} objects have the same size and ETag in both buckets",
        f"the data in {at} stay there, with their earlier versions",
        f"hint: to remove them: aws s3 rm --recursive {at}",
    ]
    assert (objects(estate, new), objects(estate, old)) == (before, before)
    assert deployed_bucket(estate) == (new, new)
    s3, large = estate.account.boto("s3"), f"{estate.stack}/runs/large/artifacts/big.bin"
    assert s3.head_object(Bucket=new, Key=large)["Metadata"] == {"about": "x"}
    assert s3.get_object_tagging(Bucket=new, Key=large)["TagSet"] == [{"Key": "keep", "Value": "a b"}]
    locks = [json.loads(estate.account.objects(each, f"{estate.stack}/.lock")[""]) for each in (old, new)]
    assert [lock["entry"]["outcome"] for lock in locks] == ["succeeded", "succeeded"]


def change_policy(estate: Estate, old: str, new: str) -> None:
    """What CloudFormation does and LocalStack's does not: an update reaches the inline policies of a role."""
    iam, role = estate.account.boto("iam"), estate.account.outputs(estate.stack)["TaskRole"]
    named = {"RoleName": role, "PolicyName": "handoff"}
    policy = json.dumps(iam.get_role_policy(**named)["PolicyDocument"]).replace(old, new)
    template = (estate.team.root / "build/shop/task.yml").read_text(encoding="utf-8")
    assert template.count("s3:::${Bucket}") == policy.count(f"s3:::{new}")
    iam.put_role_policy(**named, PolicyDocument=policy)


def after_the_move(estate: Estate, old: str, new: str) -> None:
    """Nobody needs the variable any more; the way back is not over data from before."""
    kept = objects(estate, old)
    told = estate.must("deploy")
    assert lines(told, "note", "no changes") == [
        f"note: project shop stays in bucket {estate.stable(new)}, with which it is deployed",
        "no changes: the deployment is up to date",
    ]
    change_policy(estate, old, new)
    estate.must("run")
    assert objects(estate, new)[".artifacts/state"] == b"2\n"
    assert objects(estate, old) == kept
    back = estate.invoke("deploy", "--move-bucket")
    assert back.exit == 1
    assert f"found {len(kept)} objects of project shop from before, expected none" in back.stderr
    assert deployed_bucket(estate) == (new, new)
