"""`invoke destroy`, as a person types it, against moto: what is gone, what stays, and that it can be begun again."""

from __future__ import annotations

import json
import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import InvokeResult
from doubles.moto_bucket import HURRIED, REGION, MotoBucket
from doubles.stub_project import ACCOUNT, MotoProject, new_name

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

    from doubles.checkout import Checkout
    from doubles.fault_proxy import Proxy

    from handoff_runtime.aws.session import Session

pytestmark = pytest.mark.takes(110)

GOLDEN = Path(__file__).parents[1] / "golden/help/destroy.txt"
HERE = f"(account {ACCOUNT}, region {REGION})"
PROJECT = "commands: [{command: echo}]\n"
DRY = "nothing was done: --dry\n"
DIGESTS = [f"sha256:{number:064x}" for number in range(3)]


def create_stack_of(shop: MotoProject, name: str, resources: dict[str, Any], **tags: str) -> None:
    """A stack with handoff's tags, or with these instead; an empty one is left out."""
    ours = {"handoff:project": shop.name, "handoff:environment": shop.environment}
    given = {**ours, **{f"handoff:{key}": value for key, value in tags.items()}}
    shop.create_stack(name, resources=resources, tags={key: value for key, value in given.items() if value})


def deploy(shop: MotoProject) -> None:
    """The three stacks of a project, an image, and what runs have left: also versions, marks and an upload."""
    repository = {"RepositoryName": resource_names.repository(shop.stack)}
    create_stack_of(
        shop,
        resource_names.registry_stack(shop.stack),
        {"R": {"Type": "AWS::ECR::Repository", "Properties": repository}},
    )
    log = {"LogGroupName": resource_names.log_group(shop.stack)}
    create_stack_of(shop, shop.stack, {"L": {"Type": "AWS::Logs::LogGroup", "Properties": log}})
    create_stack_of(shop, resource_names.schedule_stack(shop.stack), {"Q": {"Type": "AWS::SQS::Queue"}})
    push_image(shop)
    leave_data(shop)


def push_image(shop: MotoProject) -> None:
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    shop.aws.boto("ecr").put_image(
        repositoryName=resource_names.repository(shop.stack), imageTag="one", imageManifest=json.dumps(manifest)
    )


def leave_data(shop: MotoProject) -> None:
    for number in range(2):
        shop.aws.put(f"{shop.stack}/.artifacts/state", f"{number}".encode())
    s3 = shop.aws.boto("s3")
    shop.aws.put(f"{shop.stack}/history/a.jsonl", b"x")
    s3.delete_object(Bucket=shop.aws.bucket, Key=f"{shop.stack}/history/a.jsonl")
    s3.create_multipart_upload(Bucket=shop.aws.bucket, Key=f"{shop.stack}/.artifacts/large")
    shop.aws.put(f"{shop.stack}-2/.artifacts/state", b"another's")
    put_params(shop, shop.name)


def put_params(shop: MotoProject, project: str) -> None:
    stages = [{"name": "echo", "argv": ["echo"]}]
    pipeline = {"format": 1, "project": project, "environment": shop.environment, "stages": stages}
    text = encode_params({"format": 1, "pipeline": pipeline, "files": []})
    ssm = shop.aws.boto("ssm")
    ssm.put_parameter(Name=f"{shop.stack}__params", Value=text, Type="SecureString", Overwrite=True)


def run_task(shop: MotoProject) -> str:
    ecs = shop.aws.boto("ecs")
    ecs.create_cluster(clusterName=resource_names.cluster(shop.environment))
    container = {"name": "handoff", "image": "x", "memory": 64}
    ecs.register_task_definition(
        family=shop.stack,
        containerDefinitions=[container],
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
    )
    ec2 = shop.aws.boto("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    started = ecs.run_task(
        cluster=resource_names.cluster(shop.environment),
        taskDefinition=shop.stack,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}},
    )
    return str(started["tasks"][0]["taskArn"])


def stacks_of(shop: MotoProject) -> set[str]:
    return {name.replace(shop.stack, "STACK") for name in shop.stack_names() if shop.stack in name}


def versions_of(shop: MotoProject) -> list[str]:
    pages = shop.aws.boto("s3").get_paginator("list_object_versions").paginate(Bucket=shop.aws.bucket)
    both = [one for page in pages for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))]
    return sorted(one["Key"].replace(shop.stack, "STACK") for one in both)


def uploads_of(shop: MotoProject) -> list[str]:
    found = shop.aws.boto("s3").list_multipart_uploads(Bucket=shop.aws.bucket)
    return [one["Key"].replace(shop.stack, "STACK") for one in found.get("Uploads", ())]


def parameters_of(shop: MotoProject) -> list[str]:
    found = shop.aws.boto("ssm").get_parameters(Names=[f"{shop.stack}__params"])["Parameters"]
    return [one["Name"].replace(shop.stack, "STACK") for one in found]


def repositories_of(shop: MotoProject) -> list[str]:
    found = shop.aws.boto("ecr").describe_repositories()["repositories"]
    return [one["repositoryName"] for one in found if one["repositoryName"] == resource_names.repository(shop.stack)]


def resources_of(shop: MotoProject) -> dict[str, Any]:
    return {
        "stacks": stacks_of(shop),
        "versions": versions_of(shop),
        "uploads": uploads_of(shop),
        "parameters": parameters_of(shop),
        "repositories": repositories_of(shop),
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


def replacements(bucket: str) -> tuple[tuple[str, str], ...]:
    events = r"^\d\d:\d\d:\d\d .*\n"  # of CloudFormation
    return (bucket, "BUCKET"), (r"\bdev\b", "ENV"), (events, ""), (r"\([\d,]+ bytes\)|[\d,]+ bytes", "N bytes")


@pytest.fixture
def shop(checkout: Checkout, moto_bucket: MotoBucket, proxy: Proxy) -> MotoProject:
    proxy.owner = ACCOUNT
    return new_project(checkout, moto_bucket, proxy)


def new_project(checkout: Checkout, moto_bucket: MotoBucket, proxy: Proxy) -> MotoProject:
    name = new_name("shop")
    checkout.project(name, PROJECT)
    return MotoProject(
        checkout, moto_bucket, name, {**HURRIED, "AWS_ENDPOINT_URL": proxy.url}, replacements(moto_bucket.bucket)
    )


def text_of(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# what a person sees


def test_the_help(checkout: Checkout) -> None:
    """UPDATE_GOLDENS=1 writes it anew; `--help` must not run the task."""
    said = checkout.invoke("destroy", "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(said.stdout, encoding="utf-8")
    assert said == InvokeResult(0, GOLDEN.read_text(encoding="utf-8"), "")


GOES = (
    "delete:",
    "  stack handoff-ENV-shop-schedule",
    "  stack handoff-ENV-shop, with its log N bytes",
    "  stack handoff-ENV-shop-registry, with 1 image N bytes",
)
KEEPS = (DATA, "parameter handoff-ENV-shop__params (version 1)")


def test_data_stays_unless_it_is_asked_for(shop: MotoProject) -> None:
    deploy(shop)
    before = resources_of(shop)
    assert before == {**EVERYTHING, "repositories": repositories_of(shop)}
    said = shop.invoke("--dry", "destroy")
    shown = text_of(*GOES, "keep:", *(f"  {line}" for line in KEEPS))
    assert said == InvokeResult(
        0,
        "",
        shown
        + text_of(
            "would delete stack handoff-ENV-shop-schedule",
            "would check that no run is under way in cluster handoff-ENV",
            "would delete stack handoff-ENV-shop",
            "would delete 1 image of repository handoff-ENV-shop",
            "would delete stack handoff-ENV-shop-registry",
        )
        + DRY,
    )
    assert resources_of(shop) == before
    said = shop.invoke("destroy", "--yes")
    assert said == InvokeResult(
        0,
        "",
        shown
        + text_of(
            *("delete stack handoff-ENV-shop-schedule", "stack handoff-ENV-shop-schedule: deleted"),
            *("delete stack handoff-ENV-shop", "stack handoff-ENV-shop: deleted"),
            "delete 1 image of repository handoff-ENV-shop",
            *("delete stack handoff-ENV-shop-registry", "stack handoff-ENV-shop-registry: deleted"),
            "verified, only this is kept:",
            *(f"  {line}" for line in KEEPS),
            "next: invoke deploy --project shop",
        ),
    )
    assert resources_of(shop) == {**before, "stacks": set(), "repositories": []}
    again = shop.invoke("destroy")  # nothing is asked where nothing goes
    assert again.stderr == text_of(
        f"nothing to delete: project shop in ENV {HERE}",
        "keep:",
        *(f"  {line}" for line in KEEPS),
        "next: invoke deploy --project shop",
    )


def test_data_goes_with_all_its_versions(shop: MotoProject) -> None:
    deploy(shop)
    lines = [*GOES, *(f"  {line}" for line in KEEPS)]
    dry = shop.invoke("--dry", "destroy", "--data").stderr
    assert dry.startswith(text_of(*lines))
    steps = [line.removeprefix("would ") for line in dry.splitlines() if line.startswith("would delete 4")]
    assert steps == ["delete 4 versions below s3://BUCKET/handoff-ENV-shop/"]
    said = shop.invoke("destroy", "--data", "--yes")
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
    assert resources_of(shop) == NOTHING
    assert shop.invoke("destroy", "--data").stderr == text_of(
        f"nothing to delete: project shop in ENV {HERE}", "next: invoke deploy --project shop"
    )


def test_without_a_terminal_nobody_is_asked(shop: MotoProject) -> None:
    deploy(shop)
    before = resources_of(shop)
    said = shop.invoke("destroy", "--data")
    what = "destroy project shop in environment ENV (3 stacks and all of its data)"
    assert said.stderr.endswith(
        f"error: destroy: {what}: needs --yes without a terminal\nhint: invoke destroy --project shop --data --yes\n"
    ), said.stderr
    assert (said.exit, resources_of(shop)) == (2, before)


def test_a_project_whose_files_are_gone(shop: MotoProject) -> None:
    deploy(shop)
    (shop.checkout.root / "projects" / shop.name / "project.yml").unlink()
    said = shop.invoke("destroy", "--data", "--yes")
    assert said.stderr.startswith(
        "note: found no projects/shop/project.yml; using what stack handoff-ENV-shop is deployed with\n"
    )
    assert (said.exit, said.stderr.splitlines()[-1], resources_of(shop)) == (0, "next: invoke status", NOTHING)
    again = shop.invoke("destroy", "--data", "--yes")
    assert again.stderr.startswith(
        "note: found no projects/shop/project.yml; using the default names of its resources\nnothing to delete: "
    )


def test_without_a_bucket_there_is_no_data(shop: MotoProject) -> None:
    said = shop.invoke("destroy", "--data", S3_BUCKET_NAME=f"none-{uuid.uuid4().hex}")
    assert said == InvokeResult(
        0, "", f"nothing to delete: project shop in ENV {HERE}\nnext: invoke deploy --project shop\n"
    )


# what is refused


def test_a_task_that_runs_is_not_ended_by_the_way(shop: MotoProject) -> None:
    deploy(shop)
    before, task = resources_of(shop), run_task(shop).rpartition("/")[2]
    said = shop.invoke("destroy", "--yes")
    assert said.stderr.endswith(
        f"error: project shop: 1 run under way (task {task}), expected none\n"
        "hint: wait for it: invoke destroy --project shop --running wait; "
        "or stop it: invoke destroy --project shop --running stop\n"
    ), said.stderr
    assert (said.exit, resources_of(shop)) == (1, before)
    dry = shop.invoke("--dry", "destroy")
    assert f"note: project shop: 1 run under way (task {task})\nwould delete stack" in dry.stderr
    result = shop.invoke("destroy", "--running", "stop", "--yes")
    assert (result.exit, f"\nstop task {task}\n" in result.stderr, stacks_of(shop)) == (0, True, set())


def test_a_run_elsewhere_keeps_its_data(shop: MotoProject) -> None:
    deploy(shop)
    claim = {"run_id": "run-1", "holder": "a laptop", "lease_seconds": 90, "heartbeat_seconds": 20, "released": False}
    shop.aws.put(f"{shop.stack}/.lock", json.dumps(claim).encode())
    said = shop.invoke("destroy", "--data", "--yes")
    assert "error: project shop: 1 run under way (run run-1), expected none\n" in said.stderr
    assert (said.exit, stacks_of(shop)) == (1, STACKS)
    assert shop.invoke("destroy", "--yes").exit == 0  # it does not need what goes


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param({"project": "other"}, "handoff:project other, handoff:environment ENV", id="another project's"),
        pytest.param({"project": "", "environment": ""}, "none of handoff", id="nobody's"),
    ],
)
def test_a_stack_of_another_stays(shop: MotoProject, tags: dict[str, str], whose: str) -> None:
    create_stack_of(shop, shop.stack, {"Q": {"Type": "AWS::SQS::Queue"}}, **tags)
    said = shop.invoke("destroy", "--data", "--yes")
    expected = "(handoff:project shop, handoff:environment ENV)"
    assert f"error: stack handoff-ENV-shop: found tags ({whose}), expected {expected}\n" in (said.stderr)
    assert (said.exit, stacks_of(shop)) == (1, {"STACK"})


def test_params_of_another_stay(shop: MotoProject) -> None:
    put_params(shop, "other")
    said = shop.invoke("destroy", "--data", "--yes")
    assert "is the stack of project 'other', expected that of 'shop'" in said.stderr
    assert (said.exit, parameters_of(shop)) == (2, ["STACK__params"])


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
def test_flags_that_make_no_sense(shop: MotoProject, words: list[str], message: str) -> None:
    said = shop.invoke("destroy", *words, project="")
    pattern = re.escape(message).replace(r"\*", "(.|\n)*")
    assert (said.exit, bool(re.fullmatch(pattern, said.stderr))) == (2, True), said.stderr


# how much there may be


def test_many_versions_and_many_images(shop: MotoProject) -> None:
    """More than one page of each, and more than one call."""
    deploy(shop)
    s3 = shop.aws.boto("s3")
    with ThreadPoolExecutor(8) as pool:
        keys = [f"{shop.stack}/runs/{number}/run.json" for number in range(1003)]
        list(pool.map(lambda key: s3.put_object(Bucket=shop.aws.bucket, Key=key, Body=b"x"), keys))
    ecr, repository = shop.aws.boto("ecr"), resource_names.repository(shop.stack)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    for number in range(110):
        text = json.dumps({**manifest, "config": {"digest": DIGESTS[0], "size": number}, "layers": []})
        ecr.put_image(repositoryName=repository, imageTag=f"t{number}", imageManifest=text)
    said = shop.invoke("destroy", "--data", "--yes")
    removed = [line for line in said.stderr.splitlines() if re.match("delete (?!stack)", line)]
    assert removed == [
        "delete 100 images of repository handoff-ENV-shop",
        "delete 11 images of repository handoff-ENV-shop",
        "delete 1,000 versions below s3://BUCKET/handoff-ENV-shop/",
        "delete 7 versions below s3://BUCKET/handoff-ENV-shop/",
        "delete parameter handoff-ENV-shop__params",
    ]
    assert (said.exit, resources_of(shop)) == (0, NOTHING)


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
def test_it_can_be_interrupted_at_every_call(shop: MotoProject, proxy: Proxy, before: bool) -> None:  # noqa: FBT001
    session, cut_calls = shop.aws.session(), []
    for number in range(1, 20):
        one = new_project(shop.checkout, shop.aws, proxy)
        deploy(one)
        try:
            destroyed(one, Cut(session, number, before=before))
        except (StoreError, AWSError) as error:
            cut_calls.append(str(error).split()[1].rstrip(":"))
            destroyed(one, session)
        assert resources_of(one) == {**NOTHING, "versions": sorted(versions_of(one))}
        assert not [key for key in versions_of(one) if key.startswith("STACK/")]
        if len(cut_calls) < number:
            break
    assert (*cut_calls[:4], cut_calls[6]) == (
        *("delete_stack", "delete_stack", "batch_delete_image", "delete_stack"),
        "delete_parameter",
    )
    assert set(cut_calls[4:6]) <= {"delete_objects", "abort_multipart_upload"}  # made at the same time
    assert len(cut_calls) == 7


def destroyed(shop: MotoProject, session: Any) -> None:
    stack = Target(shop.name, "dev", shop.stack, shop.aws.bucket, f"--project {shop.name}", session)
    destroy_project(stack, "handoff-dev", data=True, options=ApplyOptions(lambda _: None, yes=True))


def test_what_should_be_gone_and_is_not_is_an_error(shop: MotoProject) -> None:
    """A writer nobody knew of: what it stores after all was removed is found by the second look."""

    class Writer(Cut):
        def call(self, service: str, operation: str, **request: Any) -> Any:
            answer = super().call(service, operation, **request)
            if operation == "delete_parameter":
                shop.aws.put(f"{shop.stack}/late", b"x")
            return answer

    deploy(shop)
    with pytest.raises(AWSError) as caught:
        destroyed(shop, Writer(shop.aws.session(), 0, before=True))
    assert shop.stable(str(caught.value)) == (
        "error: destroy: not deleted: s3://BUCKET/handoff-ENV-shop/: 1 object, 1 version, N bytes\n"
        "hint: run it again: invoke destroy --project shop --data"
    )
    assert caught.value.exit_code == 1


# what an environment shares


@pytest.fixture
def common(shop: MotoProject) -> Iterator[MotoProject]:
    """The shared stack of an environment nobody has used, its bucket, and the data of two former projects in it."""
    shop.environment = f"e{uuid.uuid4().hex[:8]}"
    bucket = resource_names.bucket(shop.environment, ACCOUNT, REGION)
    made = MotoBucket(shop.aws.endpoint, bucket, shop.aws.monkeypatch, shop.aws.stack)
    one = replace(shop, aws=made, replacements=replacements(bucket))
    s3 = made.boto("s3")
    resource = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "Properties": {"BucketName": bucket, "VersioningConfiguration": {"Status": "Enabled"}},
    }
    create_stack_of(one, resource_names.shared_stack(shop.environment), {"Bucket": resource}, project="")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    leave_data(one)
    yield one
    for client in (*made.made, *made.botos.values()):
        client.close()


def buckets(shop: MotoProject) -> list[str]:
    return [one["Name"] for one in shop.aws.boto("s3").list_buckets()["Buckets"] if one["Name"] == shop.aws.bucket]


def shared_stacks(shop: MotoProject) -> list[str]:
    return [name for name in shop.stack_names() if name == resource_names.shared_stack(shop.environment)]


def test_the_shared_stack_goes_and_its_bucket_stays(common: MotoProject) -> None:
    versions = versions_of(common)
    said = common.invoke("destroy", "--shared", "--yes", project="")
    kept = (
        "  bucket BUCKET (2 objects, 5 versions, N bytes, 1 unfinished uploads)",
        "  parameter handoff-ENV-shop__params",
    )
    assert said == InvokeResult(
        0,
        "",
        text_of(
            *("delete:", "  stack handoff-ENV", "keep:", *kept),
            *("delete stack handoff-ENV", "stack handoff-ENV: deleted"),
            *("verified, only this is kept:", *kept, "next: invoke deploy --project NAME"),
        ),
    ), said.stderr
    assert (shared_stacks(common), versions_of(common), parameters_of(common)) == ([], versions, ["STACK__params"])


def test_with_its_data_the_bucket_goes_too(common: MotoProject) -> None:
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
    assert (shared_stacks(common), buckets(common), parameters_of(common)) == ([], [], [])
    assert common.invoke("destroy", "--shared", "--data", project="").stderr == text_of(
        "nothing to delete: shared by environment ENV", "next: invoke deploy --project NAME"
    )


@pytest.mark.parametrize("before", [True, False], ids=["before it is made", "before its answer comes"])
def test_the_shared_stack_can_be_interrupted_at_every_call(common: MotoProject, before: bool) -> None:  # noqa: FBT001
    """One environment is enough: each time a call further on is cut."""
    session, cut_calls = common.aws.session(), []
    for _ in range(20):
        try:
            destroy_common(common, Cut(session, 1, before=before))
        except (StoreError, AWSError) as error:
            cut_calls.append(str(error).split()[1].rstrip(":"))
            step(common, session) if before else None
        else:
            break
    assert (shared_stacks(common), buckets(common), parameters_of(common)) == ([], [], [])
    assert cut_calls[0] == "delete_parameters"
    assert {"delete_objects", "delete_stack", "delete_bucket"} <= set(cut_calls)


def destroy_common(common: MotoProject, session: Any) -> None:
    target = shared_target(session, common.environment, ACCOUNT)
    destroy_shared(target, data=True, options=ApplyOptions(lambda _: None, yes=True))


def step(common: MotoProject, session: Session) -> None:
    """One call further."""
    try:
        destroy_common(common, Cut(session, 1, before=False))
    except (StoreError, AWSError):
        return


def test_projects_that_are_deployed_keep_what_they_share(common: MotoProject) -> None:
    for name in ("b", "a"):
        stack = f"{resource_names.shared_stack(common.environment)}-{name}"
        create_stack_of(common, stack, {"Q": {"Type": "AWS::SQS::Queue"}}, project=name)
    said = common.invoke("destroy", "--shared", "--data", "--yes", project="")
    assert said == InvokeResult(
        1,
        "",
        "error: destroy --shared: found stacks of 2 projects in environment ENV (a, b), expected none\n"
        "hint: destroy them first: invoke destroy --project a\n",
    )
    assert shared_stacks(common) == [resource_names.shared_stack(common.environment)]


def test_a_bucket_that_is_not_ours_is_never_emptied(shop: MotoProject) -> None:
    shop.environment = f"e{uuid.uuid4().hex[:8]}"
    bucket = resource_names.bucket(shop.environment, ACCOUNT, REGION)
    s3 = shop.aws.boto("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    tags = [{"Key": "handoff:environment", "Value": shop.environment}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    said = shop.invoke("destroy", "--shared", "--data", "--yes", project="")
    assert said.stderr.startswith(f"error: bucket {bucket.replace(shop.environment, 'ENV')}: not created by stack")
    assert (said.exit, [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]) == (1, ["a"])
