"""The task status, as a person types it, against a real server: what is told, and with how many calls."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles import protocols
from doubles.checkout import InvokeResult
from doubles.ecs import Ecs, Life
from doubles.moto_bucket import HURRIED
from doubles.stub_project import MotoProject, new_name

from handoff_kit import resource_names
from handoff_kit.aws.params import describe_fingerprint
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import params_document as params

if TYPE_CHECKING:
    from doubles.checkout import Checkout
    from doubles.fault_proxy import Proxy
    from doubles.moto_bucket import MotoBucket

pytestmark = pytest.mark.takes(85)


GOLDEN = Path(__file__).parents[1] / "golden/help/status.txt"
PROJECT = "commands: [{command: 'true'}]\n"
RAN = {
    "run_id": "R",
    "started_at": "2026-03-01T02:00:00.000Z",
    "outcome": "succeeded",
    "exit": 0,
    "seconds": 1.5,
    "trigger": "run",
}
MANY = 60
A_PAGE = 10  # of parameters, of moto; AWS gives the fifty that are asked for
CONSTANT = 8


def deploy(shop: MotoProject, name: str, source: str = "aaaaaaaaaaaa", **schedule: str) -> None:
    """The stacks of a project, as far as status looks at them."""
    tags = resource_names.owner_tags(name, shop.environment)
    shop.create_stack(stack_of(shop, name), {"Source": source}, tags=tags)
    if schedule:
        entry = {"name": "nightly", "timezone": "UTC", "state": "ENABLED", **schedule}
        shop.create_stack(f"{stack_of(shop, name)}-schedule", {"Schedules": json.dumps([entry])}, tags=tags)


def stack_of(shop: MotoProject, name: str) -> str:
    return f"handoff-{shop.environment}-{name}"


def push_params(shop: MotoProject, name: str) -> None:
    document = params.load_params_document(ProjectPaths(name, shop.checkout.root), shop.environment)
    fingerprint = describe_fingerprint(document, stack_of(shop, name))
    request = {
        "Name": f"{stack_of(shop, name)}__params",
        "Value": "x",
        "Type": "SecureString",
        "Description": fingerprint,
    }
    shop.aws.boto("ssm").put_parameter(**request)


def put_ended_run(shop: MotoProject, name: str) -> None:
    claim = {"run_id": "R", "holder": "host:1:0", "entry": RAN, "released": True, "lease_seconds": 90}
    shop.aws.put(f"{stack_of(shop, name)}/.lock", json.dumps(claim).encode())


@pytest.fixture
def shop(checkout: Checkout, moto_bucket: MotoBucket) -> MotoProject:
    """A checkout without projects, and an environment that no other test has used, since moto is shared."""
    return MotoProject(checkout, moto_bucket, "", dict(HURRIED), environment=new_name("e"))


def test_the_help(checkout: Checkout) -> None:
    """UPDATE_GOLDENS=1 writes it anew; `--help` must not run the task."""
    result = checkout.invoke("status", "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(result.stdout, encoding="utf-8")
    assert result == InvokeResult(0, GOLDEN.read_text(encoding="utf-8"), "")


def test_every_project(shop: MotoProject) -> None:
    for name in ("a", "b", "c"):
        shop.checkout.project(name, PROJECT)
    shop.checkout.project("broken", "commands: [{comand: 'true'}]\n")
    deploy(shop, "a", expression="cron(0 2 1 1 ? 2090)")
    push_params(shop, "a")
    put_ended_run(shop, "a")
    push_params(shop, "b")
    shop.checkout.project("b", "commands: [{command: 'false'}]\n")
    result = shop.invoke("status")
    assert result == InvokeResult(
        0,
        """\
PROJECT  STACK     IMAGE        PARAMS       NEXT RUN           LAST RUN              OUTCOME
a        deployed  out of date  up to date   2090-01-01T02:00Z  2026-03-01T02:00:00Z  succeeded
b        none      none         out of date  -                  -                     -
broken   none      none         none         -                  -                     -
c        none      none         none         -                  -                     -
""",
        """\
note: projects/broken/project.yml:1:13: `comand` is not a known key of stage 1
hint: did you mean `command`?
next: invoke check --project broken --environment ENV
""",
    )
    lines = [json.loads(line) for line in shop.invoke("status", "--json").stdout.splitlines()]
    assert [(line["project"], line["params"]["state"], line["next_run"]) for line in lines] == [
        ("a", "up to date", "2090-01-01T02:00:00Z"),
        ("b", "out of date", None),
        ("broken", "none", None),
        ("c", "none", None),
    ]


def test_one_project(shop: MotoProject, ecs: Ecs) -> None:
    shop.checkout.project("shop", PROJECT, {"files/a.csv": "1\n"})
    ecs.cluster = f"handoff-{shop.environment}"
    task = ecs.add(Life(("RUNNING",)))
    result = shop.invoke("status", "--json", "--project", "shop")
    here = json.loads(result.stdout)["image"]["here"]
    deploy(shop, "shop", here, expression="rate(1 hour)")
    push_params(shop, "shop")
    put_ended_run(shop, "shop")
    result = shop.invoke("status", "--project", "shop", AWS_ENDPOINT_URL_ECS=ecs.url)
    assert result == InvokeResult(
        0,
        f"""\
project    shop (ENV)
stack      handoff-ENV-shop: CREATE_COMPLETE
image      up to date: {here}
params     up to date: version 1
files      out of date: 1 to upload, 0 up to date
schedule   nightly: rate(1 hour) UTC
last run   R of 2026-03-01T02:00:00Z (run): succeeded after 1.5 s
task       {task.id} RUNNING since 2023-11-14T22:13:22Z
""",
        "next: invoke run --project shop --environment ENV\n",
    )


def test_a_permission_that_is_missing_is_told_and_hides_no_more_than_it_must(shop: MotoProject, proxy: Proxy) -> None:
    shop.checkout.project("shop", PROJECT)
    deploy(shop, "shop")
    put_ended_run(shop, "shop")
    proxy.fault("answer", path="DescribeParameters", status=400, code="AccessDeniedException")
    proxy.fault("answer", path=".lock", status=403, code="AccessDenied")
    result = shop.invoke("status", AWS_ENDPOINT_URL=proxy.url)
    assert (result.exit, result.stdout.splitlines()[1].split()) == (
        0,
        ["shop", "deployed", "out", "of", "date", "unknown", "-", "-", "?"],
    )
    assert "the permission ssm:DescribeParameters on " in result.stderr
    assert "the permission s3:GetObject on " in result.stderr


def test_an_account_that_is_not_known_hides_only_the_runs(shop: MotoProject, proxy: Proxy) -> None:
    """Without it the shared bucket has no name; each reason is printed once."""
    for name in ("a", "b", "c"):
        shop.checkout.project(name, PROJECT)
    deploy(shop, "a")
    push_params(shop, "b")
    proxy.fault("answer", wants=lambda call: call.name == "sts:GetCallerIdentity", refusal=protocols.denied)
    assert shop.invoke("status", AWS_ENDPOINT_URL=proxy.url, S3_BUCKET_NAME="") == InvokeResult(
        0,
        """\
PROJECT  STACK     IMAGE        PARAMS      NEXT RUN  LAST RUN  OUTCOME
a        deployed  out of date  none        -         -         ?
b        none      none         up to date  -         -         ?
c        none      none         none        -         -         -
""",
        """\
error: STS GetCallerIdentity: AccessDenied found, the permission sts:GetCallerIdentity on * expected
hint: allow it to the role or user that runs this
next: invoke deploy --project a --environment ENV
""",
    )


def test_many_projects_take_a_call_each_and_a_few(shop: MotoProject, proxy: Proxy) -> None:
    names = [f"p{number:03}" for number in range(MANY)]
    for name in names:
        shop.checkout.project(name, PROJECT)
        deploy(shop, name)
        push_params(shop, name)
        put_ended_run(shop, name)
    result = shop.invoke("status", AWS_ENDPOINT_URL=proxy.url)
    assert {tuple(line.split()) for line in result.stdout.splitlines()[1:]} == {
        (name, "deployed", "out", "of", "date", "up", "to", "date", "-", "2026-03-01T02:00:00Z", "succeeded")
        for name in names
    }
    found = Counter("lock" if ".lock" in call else call.split()[-1] for call in proxy.calls)
    assert found.pop("lock") == MANY
    assert found.pop("AmazonSSM.DescribeParameters") <= MANY // A_PAGE + 1  # moto's last one is empty
    assert found.total() <= CONSTANT, found  # who we are, and pages of stacks
