"""The params document and the references in it, from a real HTTP server that plays Parameter Store."""

from __future__ import annotations

import hashlib
import json
import os
import random
import string
from typing import TYPE_CHECKING, Any

import pytest

from handoff_runtime import s3_keys
from handoff_runtime.aws import params as parameter
from handoff_runtime.aws import references
from handoff_runtime.aws import session as connecting
from handoff_runtime.errors import PipelineError, StoreError
from handoff_runtime.params import OTHER_KIT, ConfigFile, encode_params, required_tier

if TYPE_CHECKING:
    from doubles.fault_proxy import Proxy
    from doubles.moto_bucket import MotoBucket


PIPELINE = {"format": 1, "project": "sample", "stages": [{"name": "cat", "argv": ["cat"]}]}


def document(**files: str) -> dict[str, Any]:
    return {"format": 1, "pipeline": PIPELINE, "files": [{"name": name, "value": text} for name, text in files.items()]}


def pushed(moto_bucket: MotoBucket, text: str) -> int:
    name = s3_keys.parameter(moto_bucket.stack)
    put = moto_bucket.boto("ssm").put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)
    return int(put["Version"])


def config(seed: int, size: int = 3000) -> str:
    """A config file of a tap as they are: keys much alike, and secrets."""
    chance = random.Random(seed)
    streams = {f"stream_{number}": {"selected": True, "replication": "INCREMENTAL"} for number in range(35)}
    secret = "".join(chance.choices(string.ascii_letters + string.digits, k=20))
    text = json.dumps({"host": f"db{seed}.example.com", "password": secret, "streams": streams}, indent=1)
    return text.ljust(size)[:size]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"tap.json": '{"a": "{{ b }}"}'}, id="braces"),
        pytest.param({"a": "käse 日本語 🧀\n", "b": "\ud800"}, id="unicode"),
        pytest.param({f"tap-{n}.json": config(n) for n in range(12)}, id="twelve of 3 KB"),
    ],
)
def test_what_is_pushed_is_loaded(moto_bucket: MotoBucket, proxy: Proxy, files: dict[str, str]) -> None:
    made = document(**files)
    text = encode_params(made)
    assert (required_tier(made, text, advanced=False), "{{" in text) == ("Standard", False)
    pushed(moto_bucket, "old")
    version = pushed(moto_bucket, text)
    loaded = parameter.load(moto_bucket.session(proxy), moto_bucket.stack)
    assert loaded.params.document == made
    assert loaded.params.files == tuple(ConfigFile(name, value) for name, value in files.items())
    assert (loaded.version, loaded.sha256) == (version, hashlib.sha256(text.encode()).hexdigest())
    assert len(proxy.calls) == 1


def test_an_older_version_is_loaded_when_it_is_asked_for(moto_bucket: MotoBucket) -> None:
    first = pushed(moto_bucket, encode_params(document(a="1")))
    pushed(moto_bucket, encode_params(document(a="2")))
    assert parameter.load(moto_bucket.session(), moto_bucket.stack, first).params.files == (ConfigFile("a", "1"),)


def test_a_parameter_that_is_missing(moto_bucket: MotoBucket) -> None:
    with pytest.raises(StoreError) as caught:
        parameter.load(moto_bucket.session(), moto_bucket.stack)
    message = f"parameter {moto_bucket.stack}__params: no such parameter found in region eu-central-1"
    assert (caught.value.message, caught.value.hint) == (message, "store the params: invoke params.push")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("handoff:zstd:AAAA", r"stored in the form 'zstd', expected one of lzma, zlib", id="form"),
        pytest.param(json.dumps({**document(), "format": 2}), r"version 1: format 2 found, 1 expected", id="format"),
    ],
)
def test_params_from_the_future(moto_bucket: MotoBucket, text: str, expected: str) -> None:
    pushed(moto_bucket, text)
    with pytest.raises(PipelineError, match=expected) as caught:
        parameter.load(moto_bucket.session(), moto_bucket.stack)
    assert caught.value.hint == OTHER_KIT
    assert "push again with" in OTHER_KIT


@pytest.mark.parametrize(
    "text", ["handoff:lzma:", "handoff:lzma:AAAA", "handoff:zlib:%%", "handoff:zlib:ä", "not json", "[]"]
)
def test_what_is_damaged_is_told(moto_bucket: MotoBucket, text: str) -> None:
    pushed(moto_bucket, text)
    with pytest.raises(PipelineError):
        parameter.load(moto_bucket.session(), moto_bucket.stack)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (
            "AccessDeniedException",
            400,
            "the permission ssm:GetParameter on arn:aws:ssm:eu-central-1:*:parameter/{name} expected",
        ),
        ("ExpiredTokenException", 400, "the credentials have expired (ExpiredTokenException), valid ones expected"),
        ("UnrecognizedClientException", 400, "credentials that AWS does not accept found"),
        ("InvalidClientTokenId", 403, "credentials that AWS does not accept found"),
    ],
)
def test_refusals(moto_bucket: MotoBucket, proxy: Proxy, code: str, status: int, expected: str) -> None:
    proxy.fault("answer", status=status, code=code)
    with pytest.raises(StoreError) as caught:
        parameter.load(moto_bucket.session(proxy), moto_bucket.stack)
    assert expected.format(name=s3_keys.parameter(moto_bucket.stack)) in caught.value.message
    assert (caught.value.exit_code, len(proxy.calls), moto_bucket.said) == (69, 1, [])


def test_throttling_that_passes(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    pushed(moto_bucket, encode_params(document()))
    proxy.fault("answer", status=400, code="ThrottlingException", times=3)
    parameter.load(moto_bucket.session(proxy), moto_bucket.stack)
    said = [line.partition(" in ")[0] for line in moto_bucket.said]
    assert said == [f"SSM GetParameter: 400 ThrottlingException; attempt {number} of 8" for number in (2, 3, 4)]


def test_throttling_that_stays(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    proxy.fault("answer", status=400, code="ThrottlingException")
    with pytest.raises(StoreError) as caught:
        parameter.load(moto_bucket.session(proxy), moto_bucket.stack)
    where = f"parameter {s3_keys.parameter(moto_bucket.stack)}"
    expected = f"{where}: SSM GetParameter throttled (ThrottlingException), still after 8 attempts"
    assert caught.value.message == expected


def test_a_connection_that_is_cut_is_made_again(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    pushed(moto_bucket, encode_params(document()))
    proxy.fault("cut", after=10, times=1)
    proxy.fault("lose", times=1)
    parameter.load(moto_bucket.session(proxy), moto_bucket.stack)
    assert 1 <= len(moto_bucket.said) <= 2


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region(moto_bucket: MotoBucket, environ: dict[str, str], expected: str) -> None:
    assert connecting.connect(environ, moto_bucket.said.append).client("ssm").meta.region_name == expected


@pytest.mark.parametrize("missing", ["AWS_REGION", "AWS_ACCESS_KEY_ID"])
def test_no_region_and_no_credentials(moto_bucket: MotoBucket, missing: str) -> None:
    moto_bucket.monkeypatch.delenv(missing)
    moto_bucket.monkeypatch.setenv("AWS_ENDPOINT_URL", moto_bucket.endpoint)
    expected = {"AWS_REGION": "no AWS region configured", "AWS_ACCESS_KEY_ID": "no credentials found"}
    with pytest.raises(StoreError, match=expected[missing]):
        parameter.load(connecting.connect(os.environ, moto_bucket.said.append), moto_bucket.stack)


def test_a_profile_that_is_not_there(moto_bucket: MotoBucket) -> None:
    moto_bucket.monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreError, match=r"AWS_PROFILE: The config profile \(nobody\) could not be found"):
        connecting.connect({"AWS_PROFILE": "nobody"}, moto_bucket.said.append)


def test_references_are_resolved_ten_a_call(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    ssm, secrets, stack = moto_bucket.boto("ssm"), moto_bucket.boto("secretsmanager"), moto_bucket.stack
    for number in range(23):
        ssm.put_parameter(Name=f"/{stack}/p{number}", Value=f"value {number}", Type="SecureString")
    secrets.create_secret(Name=f"{stack}/db", SecretString='{"user": "u", "port": 5432}')
    many = {f"k{number}": f"ssm:/{stack}/p{number}" for number in range(23)}
    plain = '{"a":  "as it was", "b": ["ssm:/not/at/the/top"]}'
    made = document(
        many=json.dumps(many),
        whole=f" secretsmanager:{stack}/db#user\n",
        all=f"secretsmanager:{stack}/db",
        mixed=json.dumps({"port": f"secretsmanager:{stack}/db#port", "again": f"ssm:/{stack}/p0", "n": 1}),
        plain=plain,
    )
    pushed(moto_bucket, encode_params(made))
    session = moto_bucket.session(proxy)
    params = references.resolve(session, parameter.load(session, stack).params)
    texts = {file.name: file.value for file in params.files}
    assert json.loads(texts["many"]) == {f"k{number}": f"value {number}" for number in range(23)}
    assert (texts["whole"], texts["all"], texts["plain"]) == ("u", '{"user": "u", "port": 5432}', plain)
    assert json.loads(texts["mixed"]) == {"port": "5432", "again": "value 0", "n": 1}
    assert params.document["files"] == [file._asdict() for file in params.files]
    assert [call.rpartition(".")[2] for call in proxy.calls] == [
        "GetParameter",
        *["GetParameters"] * 3,
        "GetSecretValue",
    ]


def test_every_reference_without_a_value_is_named(moto_bucket: MotoBucket) -> None:
    moto_bucket.boto("secretsmanager").create_secret(Name=f"{moto_bucket.stack}-s", SecretString="no object: hush")
    moto_bucket.boto("ssm").put_parameter(Name=f"/{moto_bucket.stack}/good", Value="x", Type="String")
    made = document(
        a=f"ssm:/{moto_bucket.stack}/gone",
        b=json.dumps(
            {
                "x": f"secretsmanager:{moto_bucket.stack}-s#key",
                "y": "secretsmanager:nobody",
                "z": f"ssm:/{moto_bucket.stack}/good",
            }
        ),
    )
    pushed(moto_bucket, encode_params(made))
    session = moto_bucket.session()
    with pytest.raises(StoreError) as caught:
        references.resolve(session, parameter.load(session, moto_bucket.stack).params)
    expected = (
        f"references without a value: .local/a: ssm:/{moto_bucket.stack}/gone: no such parameter; "
        f".local/b: x: secretsmanager:{moto_bucket.stack}-s#key: the secret is no JSON object; "
        ".local/b: y: secretsmanager:nobody: not found in region eu-central-1"
    )
    assert caught.value.message == expected


def test_params_without_references_cost_no_call(moto_bucket: MotoBucket, proxy: Proxy) -> None:
    pushed(moto_bucket, encode_params(document(a="plain", b='{"url": "see ssm:/docs for more"}')))
    session = moto_bucket.session(proxy)
    params = parameter.load(session, moto_bucket.stack).params
    assert references.resolve(session, params) is params
    assert len(proxy.calls) == 1
