"""`invoke destroy`, as a person types it, against moto: what is gone, what stays, and that it can be begun again."""

from __future__ import annotations

import json
import os
import random
import re
import string
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import Team, Told
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import HURRIED, REGION, Cloud

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions
from handoff_kit.aws.target import Target
from handoff_kit.deploy.destroy import destroy_project
from handoff_kit.deploy.destroy_shared import destroy_shared, shared_target
from handoff_kit.errors import AWSError
from handoff_runtime.errors import StoreError
from handoff_runtime.params import encode_params

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_runtime.aws.session import Session

pytestmark = pytest.mark.takes(110)

GOLDEN = Path(__file__).parents[1] / "golden/help/destroy.txt"
ACCOUNT = "123456789012"
HERE = f"(account {ACCOUNT}, region {REGION})"
PROJECT = "commands: [{command: echo}]\n"
DRY = "nothing was done: --dry\n"
DIGESTS = [f"sha256:{number:064x}" for number in range(3)]


@dataclass
class Desk:
    """A project of a name nobody has used, deployed to a cloud: its stacks hold what matters here and no more."""

    team: Team
    cloud: Cloud
    name: str
    proxy: Proxy
    environment: str = "dev"

    @property
    def stack(self) -> str:
        return resource_names.stack_name(self.name, self.environment)

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in self.cloud.environ.items() if name != "STACK_NAME"}
        return {**kept, **HURRIED, "HANDOFF_ENVIRONMENT": self.environment, "AWS_ENDPOINT_URL": self.proxy.url}

    def invoke(self, *words: str, project: str | None = None, **env: str) -> Told:
        named = ("--project", self.name) if project is None else ("--project", project) if project else ()
        told = self.team.invoke(*words, *named, env={**self.environ, **env})
        return Told(told.exit, told.stdout, self.stable(told.stderr))

    def stable(self, text: str) -> str:
        text = text.replace(self.name, "shop").replace(self.cloud.bucket, "BUCKET").replace(self.environment, "ENV")
        text = re.sub(r"^\d\d:\d\d:\d\d .*\n", "", text, flags=re.MULTILINE)  # what CloudFormation is at
        return re.sub(r"\(([\d,]+) bytes\)|[\d,]+ bytes", "N bytes", text)

    # what is done to the cloud

    def make_stack(self, name: str, resources: dict[str, Any], **tags: str) -> None:
        ours = {"handoff:project": self.name, "handoff:environment": self.environment}
        given = {**ours, **{f"handoff:{key}": value for key, value in tags.items()}}
        self.cloud.boto("cloudformation").create_stack(
            StackName=name,
            TemplateBody=json.dumps({"Resources": resources}),
            Tags=[{"Key": key, "Value": value} for key, value in given.items() if value],
        )

    def deploy(self) -> None:
        """The three stacks of a project, an image, and what runs have left: also versions, marks and an upload."""
        repository = {"RepositoryName": resource_names.repository(self.stack)}
        self.make_stack(
            resource_names.registry_stack(self.stack), {"R": {"Type": "AWS::ECR::Repository", "Properties": repository}}
        )
        log = {"LogGroupName": resource_names.log_group(self.stack)}
        self.make_stack(self.stack, {"L": {"Type": "AWS::Logs::LogGroup", "Properties": log}})
        self.make_stack(resource_names.schedule_stack(self.stack), {"Q": {"Type": "AWS::SQS::Queue"}})
        self.push()
        self.leave()

    def push(self) -> None:
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
        self.cloud.boto("ecr").put_image(
            repositoryName=resource_names.repository(self.stack), imageTag="one", imageManifest=json.dumps(manifest)
        )

    def leave(self) -> None:
        for number in range(2):
            self.cloud.put(f"{self.stack}/.artifacts/state", f"{number}".encode())
        s3 = self.cloud.boto("s3")
        self.cloud.put(f"{self.stack}/history/a.jsonl", b"x")
        s3.delete_object(Bucket=self.cloud.bucket, Key=f"{self.stack}/history/a.jsonl")
        s3.create_multipart_upload(Bucket=self.cloud.bucket, Key=f"{self.stack}/.artifacts/large")
        self.cloud.put(f"{self.stack}-2/.artifacts/state", b"another's")
        self.params(self.name)

    def params(self, project: str) -> None:
        stages = [{"name": "echo", "argv": ["echo"]}]
        pipeline = {"format": 1, "project": project, "environment": self.environment, "stages": stages}
        text = encode_params({"format": 1, "pipeline": pipeline, "files": []})
        ssm = self.cloud.boto("ssm")
        ssm.put_parameter(Name=f"{self.stack}__params", Value=text, Type="SecureString", Overwrite=True)

    def run_task(self) -> str:
        ecs = self.cloud.boto("ecs")
        ecs.create_cluster(clusterName=resource_names.cluster(self.environment))
        container = {"name": "handoff", "image": "x", "memory": 64}
        ecs.register_task_definition(
            family=self.stack,
            containerDefinitions=[container],
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
        )
        ec2 = self.cloud.boto("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        started = ecs.run_task(
            cluster=resource_names.cluster(self.environment),
            taskDefinition=self.stack,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}},
        )
        return str(started["tasks"][0]["taskArn"])

    # what is there

    def stacks(self) -> set[str]:
        pages = self.cloud.boto("cloudformation").get_paginator("describe_stacks").paginate()
        found = {one["StackName"] for page in pages for one in page["Stacks"]}
        return {name.replace(self.stack, "STACK") for name in found if self.stack in name}

    def versions(self) -> list[str]:
        pages = self.cloud.boto("s3").get_paginator("list_object_versions").paginate(Bucket=self.cloud.bucket)
        both = [one for page in pages for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]
        return sorted(one["Key"].replace(self.stack, "STACK") for one in both)

    def uploads(self) -> list[str]:
        found = self.cloud.boto("s3").list_multipart_uploads(Bucket=self.cloud.bucket)
        return [one["Key"].replace(self.stack, "STACK") for one in found.get("Uploads", ())]

    def parameters(self) -> list[str]:
        found = self.cloud.boto("ssm").get_parameters(Names=[f"{self.stack}__params"])["Parameters"]
        return [one["Name"].replace(self.stack, "STACK") for one in found]

    def repositories(self) -> list[str]:
        found = self.cloud.boto("ecr").describe_repositories()["repositories"]
        return [
            one["repositoryName"] for one in found if one["repositoryName"] == resource_names.repository(self.stack)
        ]

    def there(self) -> dict[str, Any]:
        return {
            "stacks": self.stacks(),
            "versions": self.versions(),
            "uploads": self.uploads(),
            "parameters": self.parameters(),
            "repositories": self.repositories(),
        }


STACKS = {"STACK", "STACK-registry", "STACK-schedule"}
OTHERS = ["STACK-2/.artifacts/state"]
OURS = [*["STACK/.artifacts/state"] * 2, *["STACK/history/a.jsonl"] * 2]
EVERYTHING = {
    "stacks": STACKS,
    "versions": sorted([*OTHERS, *OURS]),
    "uploads": ["STACK/.artifacts/large"],
    "parameters": ["STACK__params"],
}
NOTHING: dict[str, Any] = {
    "stacks": set(),
    "versions": OTHERS,
    "uploads": [],
    "parameters": [],
    "repositories": [],
}
DATA = "s3://BUCKET/handoff-ENV-shop/: 1 object, 4 versions, N bytes, 1 unfinished uploads"


def new_name() -> str:
    return "shop" + "".join(random.choices(string.ascii_lowercase, k=8))


@pytest.fixture
def desk(team: Team, cloud: Cloud) -> Iterator[Desk]:
    name = new_name()
    team.project(name, PROJECT)
    with Proxy.to(cloud.endpoint, ACCOUNT) as proxy:
        yield Desk(team, cloud, name, proxy)


def told(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# what a person sees


def test_the_help(team: Team) -> None:
    """UPDATE_GOLDENS=1 writes it anew; `--help` must not run the task."""
    said = team.invoke("destroy", "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(said.stdout, encoding="utf-8")
    assert said == Told(0, GOLDEN.read_text(encoding="utf-8"), "")


GOES = (
    "delete:",
    "  stack handoff-ENV-shop-schedule",
    "  stack handoff-ENV-shop, with its log N bytes",
    "  stack handoff-ENV-shop-registry, with 1 image N bytes",
)
KEEPS = (DATA, "parameter handoff-ENV-shop__params (version 1)")


def test_data_stays_unless_it_is_asked_for(desk: Desk) -> None:
    desk.deploy()
    before = desk.there()
    assert before == {**EVERYTHING, "repositories": desk.repositories()}
    said = desk.invoke("--dry", "destroy")
    shown = told(*GOES, "keep:", *(f"  {line}" for line in KEEPS))
    assert said == Told(
        0,
        "",
        shown
        + told(
            "would delete stack handoff-ENV-shop-schedule",
            "would check that no task is running in cluster handoff-ENV",
            "would delete stack handoff-ENV-shop",
            "would delete 1 image of repository handoff-ENV-shop",
            "would delete stack handoff-ENV-shop-registry",
        )
        + DRY,
    )
    assert desk.there() == before
    said = desk.invoke("destroy", "--yes")
    assert said == Told(
        0,
        "",
        shown
        + told(
            *("delete stack handoff-ENV-shop-schedule", "stack handoff-ENV-shop-schedule: deleted"),
            *("delete stack handoff-ENV-shop", "stack handoff-ENV-shop: deleted"),
            "delete 1 image of repository handoff-ENV-shop",
            *("delete stack handoff-ENV-shop-registry", "stack handoff-ENV-shop-registry: deleted"),
            "verified, only this is kept:",
            *(f"  {line}" for line in KEEPS),
            "next: invoke deploy --project shop",
        ),
    )
    assert desk.there() == {**before, "stacks": set(), "repositories": []}
    again = desk.invoke("destroy")  # nothing is asked where nothing goes
    assert again.stderr == told(
        f"nothing to delete: project shop in ENV {HERE}",
        "keep:",
        *(f"  {line}" for line in KEEPS),
        "next: invoke deploy --project shop",
    )


def test_data_goes_with_all_its_versions(desk: Desk) -> None:
    desk.deploy()
    lines = [*GOES, *(f"  {line}" for line in KEEPS)]
    dry = desk.invoke("--dry", "destroy", "--data").stderr
    assert dry.startswith(told(*lines))
    steps = [line.removeprefix("would ") for line in dry.splitlines() if line.startswith("would delete 4")]
    assert steps == ["delete 4 versions below s3://BUCKET/handoff-ENV-shop/"]
    said = desk.invoke("destroy", "--data", "--yes")
    assert (said.exit, said.stderr.splitlines()[-5:]) == (
        0,
        [
            "delete 4 versions below s3://BUCKET/handoff-ENV-shop/",
            "abort an unfinished upload of s3://BUCKET/handoff-ENV-shop/.artifacts/large",
            "delete parameter handoff-ENV-shop__params",
            "verified, nothing is left",
            "next: invoke deploy --project shop",
        ],
    )
    assert desk.there() == NOTHING
    assert desk.invoke("destroy", "--data").stderr == told(
        f"nothing to delete: project shop in ENV {HERE}", "next: invoke deploy --project shop"
    )


def test_without_a_terminal_nobody_is_asked(desk: Desk) -> None:
    desk.deploy()
    before = desk.there()
    said = desk.invoke("destroy", "--data")
    what = "destroy project shop in environment ENV (3 stacks and all of its data)"
    assert said.stderr.endswith(
        f"error: destroy: {what}: needs --yes without a terminal\nhint: invoke destroy --project shop --data --yes\n"
    ), said.stderr
    assert (said.exit, desk.there()) == (2, before)


def test_a_project_whose_files_are_gone(desk: Desk) -> None:
    desk.deploy()
    (desk.team.root / "projects" / desk.name / "project.yml").unlink()
    said = desk.invoke("destroy", "--data", "--yes")
    assert said.stderr.startswith(
        "note: found no projects/shop/project.yml; using the default names of its resources\n"
    )
    assert (said.exit, desk.there()) == (0, NOTHING)


def test_without_a_bucket_there_is_no_data(desk: Desk) -> None:
    said = desk.invoke("destroy", "--data", S3_BUCKET_NAME=f"none-{uuid.uuid4().hex}")
    assert said == Told(0, "", f"nothing to delete: project shop in ENV {HERE}\nnext: invoke deploy --project shop\n")


# what is refused


def test_a_task_that_runs_is_not_ended_by_the_way(desk: Desk) -> None:
    desk.deploy()
    before, task = desk.there(), desk.run_task().rpartition("/")[2]
    said = desk.invoke("destroy", "--yes")
    assert said.stderr.endswith(
        f"error: project shop: 1 task running ({task}), expected none\n"
        "hint: wait, or stop: invoke stop --project shop; then: invoke destroy --project shop\n"
    ), said.stderr
    assert (said.exit, desk.there()) == (1, before)
    dry = desk.invoke("--dry", "destroy")
    assert f"note: project shop: 1 task running ({task}), expected none\nwould delete stack" in dry.stderr
    desk.cloud.boto("ecs").stop_task(cluster=resource_names.cluster("dev"), task=task)
    assert desk.invoke("destroy", "--yes").exit == 0


def test_a_run_elsewhere_keeps_its_data(desk: Desk) -> None:
    desk.deploy()
    claim = {"run_id": "run-1", "holder": "a laptop", "lease_seconds": 90, "heartbeat_seconds": 20, "released": False}
    desk.cloud.put(f"{desk.stack}/.lock", json.dumps(claim).encode())
    said = desk.invoke("destroy", "--data", "--yes")
    assert "error: project shop: run run-1 is running, expected none\n" in said.stderr
    assert (said.exit, desk.stacks()) == (1, STACKS)
    assert desk.invoke("destroy", "--yes").exit == 0  # it does not need what goes


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param({"project": "other"}, "handoff:project other, handoff:environment ENV", id="another project's"),
        pytest.param({"project": "", "environment": ""}, "none of handoff", id="nobody's"),
    ],
)
def test_a_stack_of_another_stays(desk: Desk, tags: dict[str, str], whose: str) -> None:
    desk.make_stack(desk.stack, {"Q": {"Type": "AWS::SQS::Queue"}}, **tags)
    said = desk.invoke("destroy", "--data", "--yes")
    expected = "(handoff:project shop, handoff:environment ENV)"
    assert f"error: stack handoff-ENV-shop: found tags ({whose}), expected {expected}\n" in (said.stderr)
    assert (said.exit, desk.stacks()) == (1, {"STACK"})


def test_params_of_another_stay(desk: Desk) -> None:
    desk.params("other")
    said = desk.invoke("destroy", "--data", "--yes")
    assert "is the stack of project 'other', expected that of 'shop'" in said.stderr
    assert (said.exit, desk.parameters()) == (2, ["STACK__params"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["--shared", "--project", "shop"],
            "error: --shared and --project exclude each other\nhint: leave out --project\n",
            id="shared and a project",
        ),
        pytest.param(["--project", "a/b"], "error: project name: found 'a/b', expected letters*", id="no name"),
    ],
)
def test_flags_that_make_no_sense(desk: Desk, words: list[str], message: str) -> None:
    said = desk.invoke("destroy", *words, project="")
    pattern = re.escape(message).replace(r"\*", "(.|\n)*")
    assert (said.exit, bool(re.fullmatch(pattern, said.stderr))) == (2, True), said.stderr


# how much there may be


def test_many_versions_and_many_images(desk: Desk) -> None:
    """More than one page of each, and more than one call."""
    desk.deploy()
    s3 = desk.cloud.boto("s3")
    with ThreadPoolExecutor(8) as pool:
        keys = [f"{desk.stack}/runs/{number}/run.json" for number in range(1003)]
        list(pool.map(lambda key: s3.put_object(Bucket=desk.cloud.bucket, Key=key, Body=b"x"), keys))
    ecr, repository = desk.cloud.boto("ecr"), resource_names.repository(desk.stack)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    for number in range(110):
        text = json.dumps({**manifest, "config": {"digest": DIGESTS[0], "size": number}, "layers": []})
        ecr.put_image(repositoryName=repository, imageTag=f"t{number}", imageManifest=text)
    said = desk.invoke("destroy", "--data", "--yes")
    removed = [line for line in said.stderr.splitlines() if re.match("delete (?!stack)", line)]
    assert removed == [
        "delete 100 images of repository handoff-ENV-shop",
        "delete 11 images of repository handoff-ENV-shop",
        "delete 1,000 versions below s3://BUCKET/handoff-ENV-shop/",
        "delete 7 versions below s3://BUCKET/handoff-ENV-shop/",
        "delete parameter handoff-ENV-shop__params",
    ]
    assert (said.exit, desk.there()) == (0, NOTHING)


# interrupted


class Cut:
    """Our session, whose n-th call that changes something is cut: before it is made, or before its answer comes."""

    READING = ("describe_", "get_", "list_", "head_")

    def __init__(self, session: Session, number: int, *, before: bool) -> None:
        self._session, self._number, self._before = session, number, before
        self._seen, self._lock = 0, Lock()
        self.region = session.region

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def call(self, service: str, operation: str, **request: Any) -> Any:
        cut = self._is_cut(operation)
        if cut and self._before:
            raise StoreError(f"{operation}: cut")
        answer = self._session.call(service, operation, **request)
        if cut:
            raise StoreError(f"{operation}: cut")
        return answer

    def _is_cut(self, operation: str) -> bool:
        if operation.startswith(self.READING):
            return False
        with self._lock:
            self._seen += 1
            return self._seen == self._number


@pytest.mark.parametrize("before", [True, False], ids=["before it is made", "before its answer comes"])
def test_it_can_be_interrupted_at_every_call(desk: Desk, before: bool) -> None:  # noqa: FBT001
    session, cut_calls = desk.cloud.session(), []
    for number in range(1, 20):
        one = Desk(desk.team, desk.cloud, new_name(), desk.proxy)
        one.deploy()
        try:
            destroyed(one, Cut(session, number, before=before))
        except (StoreError, AWSError) as error:
            cut_calls.append(str(error).split()[1].rstrip(":"))
            destroyed(one, session)
        assert one.there() == {**NOTHING, "versions": sorted(one.versions())}
        assert not [key for key in one.versions() if key.startswith("STACK/")]
        if len(cut_calls) < number:
            break
    assert (*cut_calls[:4], cut_calls[6]) == (
        *("delete_stack", "delete_stack", "batch_delete_image", "delete_stack"),
        "delete_parameter",
    )
    assert set(cut_calls[4:6]) <= {"delete_objects", "abort_multipart_upload"}  # made at the same time
    assert len(cut_calls) == 7


def destroyed(desk: Desk, session: Any) -> None:
    stack = Target(desk.name, "dev", desk.stack, desk.cloud.bucket, f"--project {desk.name}", session)
    destroy_project(stack, "handoff-dev", data=True, options=ApplyOptions(lambda _: None, yes=True))


def test_what_should_be_gone_and_is_not_is_an_error(desk: Desk) -> None:
    """A writer nobody knew of: what it stores after all was removed is found by the second look."""

    class Writer(Cut):
        def call(self, service: str, operation: str, **request: Any) -> Any:
            answer = super().call(service, operation, **request)
            if operation == "delete_parameter":
                desk.cloud.put(f"{desk.stack}/late", b"x")
            return answer

    desk.deploy()
    with pytest.raises(AWSError) as caught:
        destroyed(desk, Writer(desk.cloud.session(), 0, before=True))
    assert desk.stable(str(caught.value)) == (
        "error: destroy: not deleted: s3://BUCKET/handoff-ENV-shop/: 1 object, 1 version, N bytes\n"
        "hint: run it again: invoke destroy --project shop --data"
    )
    assert caught.value.exit_code == 1


# what an environment shares


@pytest.fixture
def common(desk: Desk) -> Iterator[Desk]:
    """The shared stack of an environment nobody has used, its bucket, and the data of two former projects in it."""
    desk.environment = f"e{uuid.uuid4().hex[:8]}"
    bucket = resource_names.bucket(desk.environment, ACCOUNT, REGION)
    made = Cloud(desk.cloud.endpoint, bucket, desk.cloud.monkeypatch, desk.cloud.stack)
    one = Desk(desk.team, made, desk.name, desk.proxy, desk.environment)
    s3 = made.boto("s3")
    resource = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "Properties": {"BucketName": bucket, "VersioningConfiguration": {"Status": "Enabled"}},
    }
    one.make_stack(resource_names.shared_stack(desk.environment), {"Bucket": resource}, project="")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one.leave()
    yield one
    for client in (*made.made, *made.botos.values()):
        client.close()


def buckets(desk: Desk) -> list[str]:
    return [one["Name"] for one in desk.cloud.boto("s3").list_buckets()["Buckets"] if one["Name"] == desk.cloud.bucket]


def shared_stacks(desk: Desk) -> list[str]:
    pages = desk.cloud.boto("cloudformation").get_paginator("describe_stacks").paginate()
    found = [one["StackName"] for page in pages for one in page["Stacks"]]
    return [name for name in found if name == resource_names.shared_stack(desk.environment)]


def test_the_shared_stack_goes_and_its_bucket_stays(common: Desk) -> None:
    versions = common.versions()
    said = common.invoke("destroy", "--shared", "--yes", project="")
    kept = (
        "  bucket BUCKET (2 objects, 5 versions, N bytes, 1 unfinished uploads)",
        "  parameter handoff-ENV-shop__params",
    )
    assert said == Told(
        0,
        "",
        told(
            *("delete:", "  stack handoff-ENV", "keep:", *kept),
            *("delete stack handoff-ENV", "stack handoff-ENV: deleted"),
            *("verified, only this is kept:", *kept, "next: invoke deploy --project NAME"),
        ),
    ), said.stderr
    assert (shared_stacks(common), common.versions(), common.parameters()) == ([], versions, ["STACK__params"])


def test_with_its_data_the_bucket_goes_too(common: Desk) -> None:
    dry = common.invoke("--dry", "destroy", "--shared", "--data", project="")
    steps = (
        "delete 1 parameter (handoff-ENV-shop__params)",
        "delete 5 versions below s3://BUCKET/",
        "abort an unfinished upload of s3://BUCKET/handoff-ENV-shop/.artifacts/large",
    )
    assert [line for line in dry.stderr.splitlines() if line.startswith("would")] == [
        *(f"would {step}" for step in steps),
        "would delete stack handoff-ENV",
        "would delete bucket BUCKET",
    ]
    said = common.invoke("destroy", "--shared", "--data", "--yes", project="")
    assert (said.exit, said.stderr.splitlines()[-8:]) == (
        0,
        [
            *steps,
            *("delete stack handoff-ENV", "stack handoff-ENV: deleted", "delete bucket BUCKET"),
            *("verified, nothing is left", "next: invoke deploy --project NAME"),
        ],
    )
    assert (shared_stacks(common), buckets(common), common.parameters()) == ([], [], [])
    assert common.invoke("destroy", "--shared", "--data", project="").stderr == told(
        "nothing to delete: shared by environment ENV", "next: invoke deploy --project NAME"
    )


@pytest.mark.parametrize("before", [True, False], ids=["before it is made", "before its answer comes"])
def test_the_shared_stack_can_be_interrupted_at_every_call(common: Desk, before: bool) -> None:  # noqa: FBT001
    """One environment is enough: each time a call further on is cut."""
    session, cut_calls = common.cloud.session(), []
    for _ in range(20):
        try:
            destroy_common(common, Cut(session, 1, before=before))
        except (StoreError, AWSError) as error:
            cut_calls.append(str(error).split()[1].rstrip(":"))
            step(common, session) if before else None
        else:
            break
    assert (shared_stacks(common), buckets(common), common.parameters()) == ([], [], [])
    assert cut_calls[0] == "delete_parameters"
    assert {"delete_objects", "delete_stack", "delete_bucket"} <= set(cut_calls)


def destroy_common(common: Desk, session: Any) -> None:
    target = shared_target(session, common.environment, ACCOUNT)
    destroy_shared(target, data=True, options=ApplyOptions(lambda _: None, yes=True))


def step(common: Desk, session: Session) -> None:
    """One call further."""
    try:
        destroy_common(common, Cut(session, 1, before=False))
    except (StoreError, AWSError):
        return


def test_projects_that_are_deployed_keep_what_they_share(common: Desk) -> None:
    for name in ("b", "a"):
        stack = f"{resource_names.shared_stack(common.environment)}-{name}"
        common.make_stack(stack, {"Q": {"Type": "AWS::SQS::Queue"}}, project=name)
    said = common.invoke("destroy", "--shared", "--data", "--yes", project="")
    assert said == Told(
        1,
        "",
        "error: destroy --shared: found stacks of 2 projects in environment ENV (a, b), expected none\n"
        "hint: destroy them first: invoke destroy --project a\n",
    )
    assert shared_stacks(common) == [resource_names.shared_stack(common.environment)]


def test_a_bucket_that_is_not_ours_is_never_emptied(desk: Desk) -> None:
    desk.environment = f"e{uuid.uuid4().hex[:8]}"
    bucket = resource_names.bucket(desk.environment, ACCOUNT, REGION)
    s3 = desk.cloud.boto("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    tags = [{"Key": "handoff:environment", "Value": desk.environment}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    said = desk.invoke("destroy", "--shared", "--data", "--yes", project="")
    assert said.stderr.startswith(f"error: bucket {bucket.replace(desk.environment, 'ENV')}: not created by stack")
    assert (said.exit, [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]) == (1, ["a"])
