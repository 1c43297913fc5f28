"""Deployments as they are recorded: a line in S3, a tag of the image in the registry, and what is read of both."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from doubles import protocols
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import REGION

from handoff_kit.aws import deployments
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing
from handoff_kit.aws.deployments import Deployment, read_deployments, record_deployment, record_push
from handoff_kit.aws.ecr import list_images, newest_image, stale_tags, tag_deployed_image
from handoff_kit.aws.target import Target
from handoff_kit.resource_names import owner_tags, repository
from handoff_runtime.retention import Keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.moto_bucket import MotoBucket

URI = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shop"
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
PARAMETERS = ("Image", "Source", "Base", "Bucket")


@pytest.fixture
def target(moto_bucket: MotoBucket) -> Iterator[Target]:
    """A project whose repository takes a tag once."""
    found = Target("shop", "dev", moto_bucket.stack, moto_bucket.bucket, "--project shop", moto_bucket.session())
    ecr, name = moto_bucket.boto("ecr"), repository(found.name)
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    yield found
    ecr.delete_repository(repositoryName=name, force=True)


def push(moto_bucket: MotoBucket, target: Target, tag: str) -> str:
    """An image of this tag; its digest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"digest": f"sha256:{tag}", "size": 1, "mediaType": "application/vnd.docker.container.image.v1+json"},
        "layers": [],
    }
    text = json.dumps(manifest)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"  # moto would compute that of the layers
    request = {"repositoryName": repository(target.name), "imageManifest": text, "imageTag": tag, "imageDigest": digest}
    moto_bucket.boto("ecr").put_image(**request)
    return digest


def tags(moto_bucket: MotoBucket, target: Target) -> dict[str, set[str]]:
    """Of each image, by its digest."""
    found = moto_bucket.boto("ecr").describe_images(repositoryName=repository(target.name))["imageDetails"]
    return {image["imageDigest"]: set(image["imageTags"]) for image in found}


def test_an_image_is_tagged_as_deployed_and_keeps_its_own_tag(moto_bucket: MotoBucket, target: Target) -> None:
    digest = push(moto_bucket, target, "c0ffee-base20260101")
    name = repository(target.name)
    other = push(moto_bucket, target, "decaf")
    for day, each in enumerate((digest, digest, other, digest)):  # twice in turn, and again later
        tag_deployed_image(target, name, each, NOW + timedelta(days=day))
    assert tags(moto_bucket, target) == {
        digest: {"c0ffee-base20260101", "deployed-20260301T120000Z", "deployed-20260304T120000Z"},
        other: {"decaf", "deployed-20260303T120000Z"},
    }
    found = newest_image(target, name, "c0ffee")
    assert found
    assert (found.tag, found.digest) == ("c0ffee-base20260101", digest)
    listed = {image.digest: image.tags for image in list_images(target, name)}
    assert listed == {digest: ("c0ffee-base20260101",), other: ("decaf",)}


def test_the_last_ten_deployments_are_tagged(moto_bucket: MotoBucket, target: Target) -> None:
    name = repository(target.name)
    digests = [push(moto_bucket, target, f"{number:012}") for number in range(12)]
    for day, digest in enumerate(digests):
        tag_deployed_image(target, name, digest, NOW + timedelta(days=day))
    tagged = [digest for digest in digests if len(tags(moto_bucket, target)[digest]) > 1]
    assert tagged == digests[2:]
    tag_deployed_image(target, name, digests[2], NOW + timedelta(days=12))  # a rollback to the oldest of them
    found = tags(moto_bucket, target)
    assert found[digests[2]] == {f"{2:012}", "deployed-20260303T120000Z", "deployed-20260313T120000Z"}
    assert set(found) == set(digests)


def image(digest: str, *names: str) -> dict[str, Any]:
    return {"imageDigest": digest, "imageTags": list(names)}


LATER = [image(f"later-{number}", f"l{number}", f"deployed-2{number}") for number in range(9)]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([{"imageDigest": "untagged"}, *LATER], [], id="nine"),
        pytest.param([image("old", "o", "deployed-10"), *LATER], ["deployed-10"], id="ten"),
        pytest.param(
            [image("old", "o", "deployed-11", "deployed-10"), *LATER], ["deployed-10", "deployed-11"], id="two"
        ),
        pytest.param([image("current", "c", "deployed-10"), *LATER], [], id="of the deployed image"),
        pytest.param([image("old", "deployed-10"), *LATER], [], id="the only tag of its image"),
    ],
)
def test_the_tags_that_go(images: list[dict[str, Any]], expected: list[str]) -> None:
    assert stale_tags(images, "current") == expected


def create_stack(moto_bucket: MotoBucket, target: Target, digest: str) -> StackDescription:
    values = {"Image": f"{URI}@{digest}", "Source": "c0ffee", "Base": "2026-01-01", "Bucket": target.bucket}
    template = {
        "Parameters": {name: {"Type": "String"} for name in PARAMETERS},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"TaskDefinition": {"Value": "t:1"}, **{name: {"Value": {"Ref": name}} for name in PARAMETERS}},
    }
    owner = owner_tags("shop", "dev")
    moto_bucket.boto("cloudformation").create_stack(
        StackName=target.name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Tags=[{"Key": key, "Value": value} for key, value in owner.items()],
    )
    found = describe_existing(target.session, target.name)
    assert found
    return found


def put_params(moto_bucket: MotoBucket, target: Target) -> None:
    request = {"Name": target.parameter, "Value": "x", "Type": "SecureString", "Overwrite": True}
    moto_bucket.boto("ssm").put_parameter(**request)


def test_what_is_recorded(moto_bucket: MotoBucket, monkeypatch: pytest.MonkeyPatch, target: Target) -> None:
    """A line for what changed, none for what did not; the image is tagged once."""
    said: list[str] = []
    target.session.set_keep(target.name, Keep(artifacts=7))
    digest = push(moto_bucket, target, "c0ffee")
    assert read_deployments(target, said.append) == []
    record_deployment(target, None, said.append)  # without a stack
    record_push(target, said.append)
    stack = create_stack(moto_bucket, target, digest)
    put_params(moto_bucket, target)
    record_deployment(target, None, said.append)
    record_deployment(target, stack, said.append)  # nothing changed, or files alone
    put_params(moto_bucket, target)
    record_deployment(target, stack, said.append)
    put_params(moto_bucket, target)
    record_push(replace(target, bucket=""), said.append)
    record_push(replace(target, bucket=""), said.append)
    monkeypatch.setattr(deployments, "timestamp", lambda _: "2036-01-01T00:00:00Z")  # not in the same second
    record_deployment(target, replace(stack, outputs={}), said.append)  # the stack alone
    found = read_deployments(target, said.append)
    expected = Deployment("", "moto", digest, "c0ffee", "2026-01-01", 1)
    assert [replace(each, deployed_at="") for each in found] == [
        replace(expected, params_version=version) for version in (1, 2, 3, 3)
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each.deployed_at) for each in found)
    (deployed,) = (each for each in tags(moto_bucket, target)[digest] if each != "c0ffee")
    assert re.fullmatch(r"deployed-\d{8}T\d{6}Z", deployed)
    key = f"{target.name}/deployments.jsonl"
    tagging = moto_bucket.boto("s3").get_object_tagging(Bucket=target.bucket, Key=key)["TagSet"]
    assert tagging == [{"Key": "keep-old", "Value": "7"}]
    assert said == []


@pytest.mark.parametrize("operation", ["DescribeStacks", "GetParameter", "PutObject", "DescribeImages", "PutImage"])
def test_what_cannot_be_recorded_is_a_note(moto_bucket: MotoBucket, target: Target, operation: str) -> None:
    said: list[str] = []
    create_stack(moto_bucket, target, push(moto_bucket, target, "c0ffee"))
    with Proxy.to(moto_bucket.endpoint) as proxy:
        proxy.fault("answer", wants=lambda call: call.operation == operation, refusal=protocols.denied)
        through = replace(target, session=moto_bucket.session(proxy))
        record_deployment(through, None, said.append)
    assert [note.partition(": ")[0] for note in said] == ["note"], said
    assert said[0].startswith("note: not recorded for `invoke rollback`, though it is deployed: ")
    assert operation in said[0]


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:iam::123456789012:user/team/ann", "ann"),
        ("arn:aws:sts::123456789012:assumed-role/deploys/ann@example.com", "ann@example.com"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
    ids=["a user", "a session of a role", "the account itself"],
)
def test_who_deployed(moto_bucket: MotoBucket, monkeypatch: pytest.MonkeyPatch, arn: str, expected: str) -> None:
    session, calls = moto_bucket.session(), list[str]()

    def call(_service: str, operation: str) -> dict[str, str]:
        calls.append(operation)
        return {"Account": "123456789012", "Arn": arn}

    monkeypatch.setattr(session, "call", call)
    assert (session.account(), session.caller(), calls) == ("123456789012", expected, ["get_caller_identity"])


def test_a_line_that_cannot_be_read_is_noted(moto_bucket: MotoBucket, target: Target) -> None:
    said: list[str] = []
    good: Any = {"deployed_at": "T", "by": "ann", "image_digest": "d", "source": "s", "base": "b", "params_version": 1}
    lines = [good, {**good, "params_version": "1"}, {**good, "later": "field"}]
    content = "".join(f"{json.dumps(each)}\n" for each in lines).encode() + b'{"deplo'
    moto_bucket.put(f"{target.name}/deployments.jsonl", content)
    assert read_deployments(target, said.append) == [Deployment(**good), Deployment(**good)]
    assert said == [
        f"note: s3://{target.bucket}/{target.name}/deployments.jsonl: "
        "line 2 cannot be read (an odd value of params_version found), nor 1 more: skipped"
    ]
