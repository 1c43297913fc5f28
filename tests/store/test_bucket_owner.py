"""Whose bucket it is: S3 refuses each call that expects another owner, and every call of ours expects one.

No emulator checks owners; a proxy in front of it does, here and in every test that has a deployed project or the stub project `shop`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import ENVIRONMENT
from doubles.stack_fixture import LARGE_ARTIFACT

from handoff_runtime.aws import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.moto_bucket import MotoBucket
    from doubles.stack_fixture import Stack
    from doubles.stub_project import MotoProject

OURS, THEIRS = "123456789012", "210987654321"
OWNER = "S3_BUCKET_OWNER"
EXPECTING = ("ExpectedBucketOwner", "ExpectedSourceBucketOwner")


@pytest.fixture
def theirs(moto_bucket: MotoBucket) -> Iterator[Proxy]:
    """AWS where the bucket's name was taken by another account."""
    with Proxy.to(moto_bucket.endpoint, THEIRS) as proxy:
        yield proxy


class SentError(Exception):
    """A call with these parameters would be sent."""


def test_every_operation_that_can_expect_an_owner_does(moto_bucket: MotoBucket) -> None:
    """All that S3 has, also those that nobody calls yet; an owner that the caller gives stays."""
    client = session.connect(os.environ, moto_bucket.said.append, owner=OURS).client("s3")

    def refuse(params: dict[str, str], **_: object) -> None:
        raise SentError(params)

    client.meta.events.register_first("before-parameter-build.s3", refuse)

    def sent(method: str, given: dict[str, str]) -> dict[str, str]:
        with pytest.raises(SentError) as caught:
            getattr(client, method)(**given)
        return {key: value for key, value in caught.value.args[0].items() if key in {*given, *EXPECTING}}

    expected: dict[str, dict[str, str]] = {}
    found: dict[str, dict[str, str]] = {}
    for method, name in client.meta.method_to_api_mapping.items():
        shape = client.meta.service_model.operation_model(name).input_shape
        taken = shape.members if shape else {}
        given = {key: "x" for key in ("Bucket", "CopySource") if key in taken}
        expected[name] = {**given, **dict.fromkeys((key for key in EXPECTING if key in taken), OURS)}
        found[name] = sent(method, given)
    assert found == expected
    assert found["CopyObject"]["ExpectedSourceBucketOwner"] == OURS
    given = {"Bucket": "x", "ExpectedBucketOwner": THEIRS}
    assert sent("get_object", given) == given


def test_a_run_in_a_container_expects_the_account_of_its_stack(stack: Stack) -> None:
    """From the first read to the last part of an upload, one that breaks off too; STS is not called for it."""
    stack.put(".env/files/a.csv", b"1\n")
    stack.push(LARGE_ARTIFACT, state="singer")
    with Proxy.to(stack.moto_bucket.endpoint, OURS) as proxy:
        environ = {"AWS_ENDPOINT_URL": proxy.url, OWNER: OURS}
        assert [stack.run(env=environ).exit for _ in range(2)] == [0, 0]
        proxy.fault("answer", method="PUT", path="partNumber=2", status=403, code="AccessDenied", times=1)
        assert stack.run(env=environ).exit == 69
        assert {call.service for call in proxy.passed} == {"s3", "ssm"}


def test_a_run_of_an_older_deployment_expects_no_owner(stack: Stack, proxy: Proxy) -> None:
    """Its task definition sets no S3_BUCKET_OWNER."""
    stack.push("echo 1")
    assert stack.run(env={"AWS_ENDPOINT_URL": proxy.url}).exit == 0
    assert {(call.service, call.owner) for call in proxy.passed} == {("s3", ""), ("ssm", "")}


def test_a_run_leaves_the_bucket_of_another_account_alone(stack: Stack, theirs: Proxy) -> None:
    stack.push("touch .artifacts/ran; echo 1")
    done = stack.run(env={"AWS_ENDPOINT_URL": theirs.url, OWNER: OURS})
    bucket = stack.moto_bucket.bucket
    assert (done.exit, stack.below()) == (69, [])
    *_, error, hint, unrecorded = done.stderr.splitlines()
    assert [error, hint] == [
        f"error: s3://{bucket}/{stack.moto_bucket.stack}/.lock: AccessDenied found, the permission s3:GetObject on "
        f"arn:aws:s3:::{bucket}/{stack.moto_bucket.stack}/.lock expected, and bucket {bucket} to belong to account {OURS}",
        f"hint: allow it to the role or user that runs this; s3:ListBucket on {bucket} shows whether it is there; "
        "for a bucket of another account: S3_BUCKET_NAME=(one of yours), or on purpose S3_BUCKET_OWNER=(its account)",
    ]
    assert "note: the store has no record of this run: " in unrecorded


READS = [
    pytest.param(("files.list",), id="files.list"),
    pytest.param(("files.push",), id="files.push"),
    pytest.param(("artifacts.list",), id="artifacts.list"),
    pytest.param(("state.show",), id="state.show"),
    pytest.param(("state.history",), id="state.history"),
    pytest.param(("history", "--remote"), id="history"),
    pytest.param(("run-local", "--remote"), id="run-local"),
]


@pytest.mark.parametrize("words", READS)
def test_a_task_leaves_the_bucket_of_another_account_alone(
    shop: MotoProject, theirs: Proxy, words: tuple[str, ...]
) -> None:
    shop.put(".artifacts/state", "1\n")
    shop.invoke("params.push")
    before = shop.stored()
    result = shop.invoke(*words, AWS_ENDPOINT_URL=theirs.url)
    assert (result.exit != 0, shop.stored()) == (True, before)
    assert f"and bucket BUCKET to belong to account {OURS}" in result.stderr
    assert "or on purpose S3_BUCKET_OWNER=(its account)" in result.stderr


@pytest.mark.parametrize("words", READS[::3])
def test_a_bucket_of_another_account_on_purpose(shop: MotoProject, theirs: Proxy, words: tuple[str, ...]) -> None:
    shop.put(".artifacts/state", "1\n")
    shop.invoke("params.push")
    result = shop.invoke(*words, AWS_ENDPOINT_URL=theirs.url, **{OWNER: THEIRS})
    assert result.exit == 0, result.stderr


def test_an_owner_that_is_no_account(shop: MotoProject) -> None:
    result = shop.invoke("state.show", **{OWNER: "me"})
    assert (result.exit, result.stderr) == (
        2,
        "error: S3_BUCKET_OWNER: found 'me', expected an account, twelve digits\n"
        "hint: unset S3_BUCKET_OWNER, for a bucket of your own account\n",
    )


def test_the_account_is_looked_up_once(moto_bucket: MotoBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls S3, and however many at a time."""
    with Proxy.to(moto_bucket.endpoint, OURS) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        made = session.connect({**ENVIRONMENT}, moto_bucket.said.append, owner=None)
        for one in (made, made.with_options(patience=1.0)):
            assert one.read(moto_bucket.bucket, "none") is None
        assert made.account() == OURS
        names = [call.name for call in proxy.passed]
    assert names == ["sts:GetCallerIdentity", "s3:GetObject", "s3:GetObject"]
