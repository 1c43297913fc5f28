"""The tasks rollback and images --remote as a person types them: stacks of CloudFormation, images and params of moto."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from doubles import protocols
from doubles.checkout import InvokeResult
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import REGION
from doubles.stub_project import StubProject

from handoff_kit.resource_names import bucket, owner_tags, repository

if TYPE_CHECKING:
    from doubles.checkout import Checkout
    from doubles.localstack import AwsAccount

pytestmark = pytest.mark.takes(40)

PROJECT = "vars: {{base: {base}}}\ncommands: [{{command: echo, args: '{{{{ base }}}}'}}]\n"
PARAMETERS = ("Image", "Source", "Base", "Bucket")
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}
NOT = "not rolled back: files, state, schedules, keep, success_within, stack template (size, network, permissions, alerts)\n"
UNDONE = "note: this checkout is not rolled back: the next `invoke deploy --project shop` deploys it again\n"


@dataclass
class Releases:
    """A project with images A and B; B is deployed, and version 2 of the params."""

    shop: StubProject[AwsAccount]
    digests: dict[str, str]

    def put_run(self, number: int, image: str, version: int, **more: Any) -> None:
        """A line of the history."""
        line = {
            "run_id": f"20260301T0{number}0000Z-abcdef",
            "started_at": f"2026-03-01T0{number}:00:00.000Z",
            "outcome": "succeeded",
            "command": "run",
            "image_digest": self.digests[image],
            "params_version": str(version),
            **more,
        }
        s3, key = self.shop.aws.boto("s3"), f"{self.shop.stack}/history/2026-03-01.jsonl"
        before = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() if self.exists(key) else b""
        s3.put_object(Bucket=self.bucket, Key=key, Body=before + json.dumps(line).encode() + b"\n")

    def exists(self, key: str) -> bool:
        return bool(self.shop.aws.boto("s3").list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents"))

    @property
    def bucket(self) -> str:
        return bucket("dev", self.shop.aws.account, REGION)

    @property
    def deployed(self) -> tuple[str, str, str, int, dict[str, str]]:
        """Image, source and base of the stack, version of the params, and the variables in them."""
        stack = self.shop.aws.boto("cloudformation").describe_stacks(StackName=self.shop.stack)["Stacks"][0]
        found = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        digest = found["Image"].partition("@")[2]
        image = next(name for name, each in self.digests.items() if each == digest)
        dumped = self.shop.raw("params.dump")
        version = int(re.findall(r"version (\d+)", dumped.stderr)[0])
        return image, found["Source"], found["Base"], version, json.loads(dumped.stdout)["pipeline"]["vars"]

    @property
    def recorded(self) -> list[tuple[str, int]]:
        """Image and params of each deployment."""
        content = self.shop.aws.boto("s3").get_object(Bucket=self.bucket, Key=f"{self.shop.stack}/deployments.jsonl")
        lines = [json.loads(line) for line in content["Body"].read().splitlines()]
        names = {digest: name for name, digest in self.digests.items()}
        return [(names[line["image_digest"]], line["params_version"]) for line in lines]


@pytest.fixture
def releases(checkout: Checkout, aws_account: AwsAccount) -> Releases:
    name = f"p{uuid.uuid4().hex[:8]}"
    replacements = (
        (aws_account.account, "ACCOUNT"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"\([\d,]+ bytes,", "(N bytes,"),
        (r"in \d+ s\n", "in N s\n"),
        (r"^\d\d:\d\d:\d\d .*\n", ""),
        (r"(?<=\S) {2,}", "  "),
    )
    shop = StubProject(checkout, aws_account, name, replacements=replacements)
    place = bucket("dev", aws_account.account, REGION)
    aws_account.boto("s3").create_bucket(Bucket=place, CreateBucketConfiguration={"LocationConstraint": REGION})
    made = Releases(shop, {image: put_image(shop, image) for image in "ab"})
    for base in ("EUR", "JPY"):
        checkout.project(name, PROJECT.format(base=base), {".local/tap.json": f'{{"token": "hunter2-{base}"}}'})
        assert shop.invoke("params.push").exit == 0
    create_stack(made, "b")
    return made


def put_image(shop: StubProject[AwsAccount], name: str) -> str:
    """An image of a source that is named by a letter; its digest."""
    ecr, place = shop.aws.boto("ecr"), {"repositoryName": repository(shop.stack)}
    if name == "a":
        ecr.create_repository(**place, imageTagMutability="IMMUTABLE")
    text = json.dumps({**MANIFEST, "config": {"digest": f"sha256:{name}", "size": 1}})
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    ecr.put_image(**place, imageManifest=text, imageTag=f"{name * 12}-base20260101", imageDigest=digest)
    return digest


def create_stack(made: Releases, image: str) -> None:
    uri = f"{made.shop.aws.account}.dkr.ecr.{REGION}.amazonaws.com/{repository(made.shop.stack)}"
    values = {
        "Image": f"{uri}@{made.digests[image]}",
        "Source": image * 12,
        "Base": "2026-02-02",
        "Bucket": made.bucket,
    }
    template = {
        "Parameters": {name: {"Type": "String"} for name in PARAMETERS},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Source"}}}},
        "Outputs": {
            "TaskDefinition": {"Value": "t:1"},
            "Cluster": {"Value": "handoff-dev"},
            **{name: {"Value": {"Ref": name}} for name in PARAMETERS},
        },
    }
    cloudformation = made.shop.aws.boto("cloudformation")
    cloudformation.create_stack(
        StackName=made.shop.stack,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Tags=[{"Key": key, "Value": value} for key, value in owner_tags(made.shop.name, "dev").items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=made.shop.stack, WaiterConfig={"Delay": 0.2})


def test_an_earlier_run_s_image_and_params_are_deployed_together(releases: Releases) -> None:
    shop = releases.shop
    releases.put_run(1, "a", 1)
    releases.put_run(2, "b", 2, outcome="failed")
    short = releases.digests["a"].removeprefix("sha256:")[:12]
    told = f"roll back handoff-dev-shop to run 20260301T010000Z-abcdef: image {short}, params version 1\n"
    told += f"params:\n  ~ vars.base\n  ~ .local/tap.json\n{NOT}"
    dry = shop.invoke("--dry", "rollback")
    assert (dry.exit, dry.stdout, dry.stderr.startswith(told)) == (0, "", True), dry
    assert "would store parameter handoff-dev-shop__params (N bytes, plain, standard tier)\n" in dry.stderr
    assert dry.stderr.endswith("nothing was done: --dry\n")
    assert releases.deployed == ("b", "b" * 12, "2026-02-02", 2, {"base": "JPY"})
    asked = shop.invoke("rollback")
    assert (asked.exit, asked.stderr.splitlines()[-1]) == (
        2,
        "hint: invoke rollback --to 20260301T010000Z-abcdef --project shop --yes",
    )
    done = shop.invoke("rollback", "--yes")
    assert (done.exit, done.stdout, done.stderr.startswith(told)) == (0, "", True), done
    assert "hunter2" not in done.stderr
    assert done.stderr.endswith(f"{UNDONE}next: invoke run --project shop\n")
    assert releases.deployed == ("a", "a" * 12, "2026-01-01", 3, {"base": "EUR"})
    assert releases.recorded == [("a", 3)]
    again = shop.invoke("rollback", "--to", "1")
    assert again == InvokeResult(
        0,
        "",
        "no changes: image and params of run 20260301T010000Z-abcdef are deployed\nnext: invoke status --project shop\n",
    )
    releases.put_run(3, "a", 3)
    none = shop.invoke("rollback")
    assert (none.exit, none.stderr.splitlines()[0]) == (
        1,
        "error: project shop: found no successful run of another image or other params",
    )
    listed = shop.invoke("images", "--remote", "--json")
    assert listed.stderr == (
        "note: running tasks are not shown: cluster handoff-dev: found none in account ACCOUNT, region eu-central-1, "
        "expected the project deployed\nnext: invoke rollback --project shop\n"
    )
    found = {each["digest"]: each for each in map(json.loads, listed.stdout.splitlines())}
    used = {
        name: (found[digest]["deployed"], found[digest]["deployed_since"]) for name, digest in releases.digests.items()
    }
    assert used == {"a": (True, "TIME"), "b": (False, None)}
    assert found[releases.digests["a"]]["tags"] == [f"{'a' * 12}-base20260101"]
    assert shop.invoke("params.push").exit == 0  # which changes what runs together, too
    assert releases.recorded == [("a", 3), ("a", 4)]
    assert shop.invoke("params.push").exit == 0
    assert releases.recorded == [("a", 3), ("a", 4)]


def test_a_rollback_that_was_interrupted_goes_on(releases: Releases) -> None:
    """After the stack and before the params; what the error names goes on with the same release."""
    shop = releases.shop
    releases.put_run(1, "a", 1)
    releases.put_run(2, "b", 2)
    with Proxy.to(shop.aws.endpoint, shop.aws.account) as proxy:
        proxy.fault("answer", wants=lambda call: call.operation == "PutParameter", refusal=protocols.denied)
        cut = shop.invoke("rollback", "--yes", AWS_ENDPOINT_URL=proxy.url)
    assert (cut.exit, "ssm:PutParameter" in cut.stderr) == (1, True), cut
    # without --to it would find run 2, and return to what was left
    assert cut.stderr.endswith("; then: invoke rollback --to 20260301T010000Z-abcdef --project shop\n"), cut
    assert releases.deployed[0::3] == ("a", 2)
    put_record(releases)
    done = shop.invoke("rollback", "--yes", "--to", "20260301T010000Z-abcdef")
    assert done.exit == 0, done
    assert (releases.deployed[0::3], releases.recorded) == (("a", 3), [("a", 3)])


def put_record(releases: Releases) -> None:
    """The record of the first run."""
    record = {
        "run_id": "20260301T010000Z-abcdef",
        "project": releases.shop.name,
        "environment": "dev",
        "command": "run",
        "trigger": "run",
        "started_at": "2026-03-01T01:00:00.000Z",
        "ended_at": "2026-03-01T01:00:01.000Z",
        "seconds": 1.0,
        "outcome": "succeeded",
        "exit": 0,
        "culprit": None,
        "reason": None,
        "attempt": 1,
        "params_version": "1",
        "image_digest": releases.digests["a"],
        "stages": [],
        "state": {"before": None, "after": None, "replaced": False},
    }
    key = f"{releases.shop.stack}/runs/{record['run_id']}/run.json"
    releases.shop.aws.boto("s3").put_object(Bucket=releases.bucket, Key=key, Body=json.dumps(record).encode())
