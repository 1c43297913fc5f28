"""The bucket a project is deployed with is the truth: another one is refused, and moved to with all data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from doubles.checkout import InvokeResult
    from doubles.deployed_project import DeployedProject

pytestmark = [pytest.mark.network, pytest.mark.takes(65)]

COUNTS = """\
commands:
  - shell: "cat .artifacts/state 2>/dev/null || echo 0"
  - shell: "read n; echo counted from $n >&2; echo $((n + 1))"
deploy: {cpu: 256, memory: 512, stop_timeout: 2}
"""
PARTS = "from handoff_kit.aws import move_bucket\nmove_bucket.IN_PARTS = 5 << 20\n"
LARGE = bytes(range(256)) * (11 << 12)


def objects(deployed_project: DeployedProject, bucket: str) -> dict[str, bytes]:
    found = deployed_project.account.objects(bucket, f"{deployed_project.stack}/")
    return {name: content for name, content in found.items() if name != ".lock"}


def deployed_bucket(deployed_project: DeployedProject) -> tuple[str, str]:
    """As the stack tells, and as the task definition does."""
    outputs = deployed_project.account.outputs(deployed_project.stack)
    definition = deployed_project.account.boto("ecs").describe_task_definition(taskDefinition=outputs["TaskDefinition"])
    environment = definition["taskDefinition"]["containerDefinitions"][0]["environment"]
    return outputs["Bucket"], {each["name"]: each["value"] for each in environment}["S3_BUCKET_NAME"]


def make_bucket(deployed_project: DeployedProject, name: str) -> str:
    s3 = deployed_project.account.boto("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(deployed_project: DeployedProject, bucket: str, name: str, content: bytes, **more: Any) -> None:
    s3 = deployed_project.account.boto("s3")
    s3.put_object(Bucket=bucket, Key=f"{deployed_project.stack}/{name}", Body=content, **more)


def lines(result: InvokeResult, *starts: str) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith(starts)]


def test_a_project_moves_with_its_data(deployed_project: DeployedProject) -> None:
    """Deployed, run, refused, interrupted, moved, run again: the state goes on, and nothing is lost."""
    deployed_project.rewrite(COUNTS)
    old, new = deployed_project.bucket, make_bucket(deployed_project, f"moved-{deployed_project.account.number}")
    deployed_project.must("deploy")
    deployed_project.must("run")
    assert objects(deployed_project, old)[".artifacts/state"] == b"1\n"
    put(deployed_project, old, "runs/large/artifacts/big.bin", LARGE, Metadata={"about": "x"})
    put(deployed_project, old, "odd//key", b"odd")
    before = objects(deployed_project, old)

    refused(deployed_project, old, new)
    operating_tasks_use_the_deployed_bucket(deployed_project, old, new)
    not_while_a_run_is_under_way(deployed_project, old, new)
    interrupted(deployed_project, old, new)
    assert (objects(deployed_project, old), deployed_bucket(deployed_project)) == (before, (old, old))

    moved(deployed_project, old, new)
    after_the_move(deployed_project, old, new)


def refused(deployed_project: DeployedProject, old: str, new: str) -> None:
    """By a variable, and by the project file; nothing is changed."""
    at = deployed_project.stable(old)
    result = deployed_project.invoke("deploy", S3_BUCKET_NAME=new)
    assert (result.exit, lines(result, "error", "hint")) == (
        2,
        [
            f"error: project shop is deployed with bucket {at}; S3_BUCKET_NAME says {deployed_project.stable(new)}",
            f"hint: to stay there: unset S3_BUCKET_NAME; to move files, artifacts, state and history: "
            f"S3_BUCKET_NAME={deployed_project.stable(new)} invoke deploy --move-bucket --project shop",
        ],
    )
    deployed_project.rewrite(COUNTS.replace("{cpu", f"{{bucket: {new}, cpu"))
    result = deployed_project.invoke("deploy")
    assert result.exit == 2
    assert f"; deploy.bucket in projects/shop/project.yml says {deployed_project.stable(new)}\n" in result.stderr
    deployed_project.rewrite(COUNTS)
    assert (objects(deployed_project, new), deployed_bucket(deployed_project)) == ({}, (old, old))


def operating_tasks_use_the_deployed_bucket(deployed_project: DeployedProject, old: str, new: str) -> None:
    note = f"project shop is deployed with bucket {deployed_project.stable(old)}; S3_BUCKET says {deployed_project.stable(new)}"
    shown = deployed_project.must("state.show", S3_BUCKET=new)
    assert (shown.stdout, lines(shown, "note")) == ("1\n", [f"note: {note}; {deployed_project.stable(old)} is used"])
    assert "succeeded" in deployed_project.must("history", "--remote", S3_BUCKET=new).stdout
    result = deployed_project.must("status", S3_BUCKET=new)
    assert (lines(result, "note"), "last run   -" in result.stdout) == ([f"note: {note}"], False)
    result = deployed_project.must("run", "--dry", S3_BUCKET=new)
    assert lines(result, "note") == [f"note: {note}; {deployed_project.stable(old)} is used"]


def not_while_a_run_is_under_way(deployed_project: DeployedProject, old: str, new: str) -> None:
    s3, key = deployed_project.account.boto("s3"), f"{deployed_project.stack}/.lock"
    kept = s3.get_object(Bucket=old, Key=key)["Body"].read()
    claim = {"run_id": "R", "holder": "h", "released": False, "lease_seconds": 600}
    s3.put_object(Bucket=old, Key=key, Body=json.dumps(claim).encode())
    result = deployed_project.invoke("deploy", "--move-bucket", S3_BUCKET_NAME=new)
    assert result.exit == 1
    assert (
        f"error: bucket {deployed_project.stable(old)}: a run of project shop is in progress: run R holds it"
        in result.stderr
    )
    s3.put_object(Bucket=old, Key=key, Body=kept)


def interrupted(deployed_project: DeployedProject, old: str, new: str) -> None:
    """One copy is refused: the stack is not touched, the lease is given back, and some of the data are there."""
    fault = deployed_project.proxy.fault("answer", method="PUT", path="odd//key", status=403, code="AccessDenied")
    result = deployed_project.invoke("deploy", "--move-bucket", S3_BUCKET_NAME=new)
    assert (result.exit, "change stack" in result.stderr) == (1, False)
    if fault in deployed_project.proxy.faults:
        deployed_project.proxy.faults.remove(fault)
    assert ".moving" in objects(deployed_project, new)
    lock = json.loads(deployed_project.account.objects(old, f"{deployed_project.stack}/.lock")[""])
    assert lock["released"] is True
    put(deployed_project, new, "runs/stale", b"copied, and gone since")


def moved(deployed_project: DeployedProject, old: str, new: str) -> None:
    dry = deployed_project.must("deploy", "--dry", "--move-bucket", S3_BUCKET_NAME=new)
    before = objects(deployed_project, old)
    copies = f"copy {len(before)} objects"
    assert len(lines(dry, f"would {copies}")) == 1
    assert deployed_bucket(deployed_project) == (old, old)
    with deployed_project.patched(PARTS):
        result = deployed_project.must("deploy", "--move-bucket", S3_BUCKET_NAME=new)
    at = f"s3://{deployed_project.stable(old)}/{deployed_project.stack}/"
    assert lines(result, copies, "copied", "the data", "hint: to remove") == [
        f"{copies} ({sum(map(len, before.values())):,} bytes) from {at} to s3://{deployed_project.stable(new)}/{deployed_project.stack}/",
        f"copied: {len(before)} objects have the same size and ETag in both buckets",
        f"the data in {at} stay there, with their earlier versions",
        f"hint: to remove them: aws s3 rm --recursive {at}",
    ]
    there = objects(deployed_project, new)
    *recorded, moved_too = there.pop("deployments.jsonl").splitlines(keepends=True)
    assert ({**there, "deployments.jsonl": b"".join(recorded)}, objects(deployed_project, old)) == (before, before)
    assert json.loads(moved_too)["params_version"] == json.loads(recorded[-1])["params_version"]
    assert deployed_bucket(deployed_project) == (new, new)
    s3, large = deployed_project.account.boto("s3"), f"{deployed_project.stack}/runs/large/artifacts/big.bin"
    assert s3.head_object(Bucket=new, Key=large)["Metadata"] == {"about": "x"}
    for key, tag in {large: ("keep", "90"), deployed_project.stack + "/.artifacts/state": ("states", "50")}.items():
        (found,) = s3.get_object_tagging(Bucket=new, Key=key)["TagSet"]
        assert (found["Key"], found["Value"]) == tag
    locks = [
        json.loads(deployed_project.account.objects(each, f"{deployed_project.stack}/.lock")[""]) for each in (old, new)
    ]
    assert [lock["entry"]["outcome"] for lock in locks] == ["succeeded", "succeeded"]


def change_policy(deployed_project: DeployedProject, old: str, new: str) -> None:
    """What CloudFormation does and LocalStack's does not: an update reaches the inline policies of a role."""
    iam, role = (
        deployed_project.account.boto("iam"),
        deployed_project.account.outputs(deployed_project.stack)["TaskRole"],
    )
    named = {"RoleName": role, "PolicyName": "handoff"}
    policy = json.dumps(iam.get_role_policy(**named)["PolicyDocument"]).replace(old, new)
    template = (deployed_project.checkout.root / "build/shop/task.yml").read_text(encoding="utf-8")
    of_task, _, _ = template.partition("\n  TaskDefinition:")  # the roles of state machines come after it
    assert of_task.count("s3:::${Bucket}") == policy.count(f"s3:::{new}")
    iam.put_role_policy(**named, PolicyDocument=policy)


def after_the_move(deployed_project: DeployedProject, old: str, new: str) -> None:
    """Nobody needs the variable any more; the way back is not over data from before."""
    kept = objects(deployed_project, old)
    result = deployed_project.must("deploy")
    assert lines(result, "note", "no changes") == [
        f"note: project shop stays in bucket {deployed_project.stable(new)}, with which it is deployed",
        "no changes: the deployment is up to date",
    ]
    change_policy(deployed_project, old, new)
    deployed_project.must("run")
    assert objects(deployed_project, new)[".artifacts/state"] == b"2\n"
    assert objects(deployed_project, old) == kept
    back = deployed_project.invoke("deploy", "--move-bucket")
    assert back.exit == 1
    assert f"found {len(kept)} objects of project shop from before, expected none" in back.stderr
    assert deployed_bucket(deployed_project) == (new, new)
