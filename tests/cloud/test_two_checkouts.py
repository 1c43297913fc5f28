"""The life of a project from two checkouts: config files that one has and a fresh clone does not, on the testbed.

Also two repositories with projects of their own in one environment, which need no docker.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from doubles.checkout import Checkout, make_checkout
from doubles.deployed_project import push_image
from doubles.moto_bucket import REGION

from handoff_kit import resource_names

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.account import Account
    from doubles.checkout import InvokeResult
    from doubles.localstack import AwsAccount

pytestmark = [pytest.mark.network, pytest.mark.takes(36)]

READS = """\
description: Says which config files a run has
commands:
  - shell: "cd .env/config && for f in *; do echo has $f >&2; done; echo 1"
deploy: {cpu: 256, memory: 512, stop_timeout: 5}
"""
FILES = {"a.json": '{"token": "hunter2-secret"}', "b.json": '{"key": "other-secret"}'}
SECRETS = ("hunter2-secret", "other-secret")
PARAMETER = "handoff-dev-reader__params"


def invoke(checkout: Checkout, account: Account, task: str, *words: str) -> InvokeResult:
    result = checkout.invoke(task, "--project", "reader", *words, env=account.environ)
    assert result.exit == 0, f"invoke {task}\n{result.stdout}\n{result.stderr}"
    assert [value for value in SECRETS if value in result.stdout + result.stderr] == []
    return result


def stored(account: Account) -> tuple[int, dict[str, str]]:
    found = account.boto("ssm").get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]
    return found["Version"], {file["name"]: file["value"] for file in json.loads(found["Value"])["files"]}


def seen_by_a_run(checkout: Checkout, account: Account) -> list[str]:
    result = invoke(checkout, account, "run")
    return sorted(re.findall(r"has (\S+\.json)$", result.stderr, re.MULTILINE))


def test_two_checkouts(checkout: Checkout, account: Account, tmp_path: Path) -> None:
    """Deployed here, deployed from a clone without `.local`, run, pulled there, pruned there, run."""
    checkout.project("reader", READS, {f".local/{name}": value for name, value in FILES.items()})
    clone = make_checkout(tmp_path / "clone", checkout.cache)
    shutil.copytree(checkout.root / "projects/reader", clone.root / "projects/reader", ignore=lambda *_: [".local"])

    invoke(checkout, account, "deploy", "--yes")
    assert stored(account) == (1, FILES)

    result = invoke(clone, account, "deploy", "--yes")
    assert "note: a push keeps 2 stored config files that are not here: a.json, b.json\n" in result.stderr
    assert "no changes: the deployment is up to date\n" in result.stderr
    assert stored(account) == (1, FILES)
    assert seen_by_a_run(clone, account) == ["a.json", "b.json"]

    shown = json.loads(invoke(clone, account, "status", "--json").stdout)
    assert shown["params"] == {"state": "stored only", "version": 1, "stored_only": ["a.json", "b.json"]}

    changed = READS.replace("echo 1", "echo 2")
    clone.project("reader", changed, {".local/b.json": "{}", ".local/c.json": "{}"})
    invoke(clone, account, "deploy", "--yes")
    assert stored(account) == (2, {"a.json": FILES["a.json"], "b.json": "{}", "c.json": "{}"})

    invoke(clone, account, "params.pull")
    place = clone.root / "projects/reader/.local"
    assert {path.name: path.read_text() for path in place.iterdir()} == stored(account)[1]
    assert json.loads(invoke(clone, account, "status", "--json").stdout)["params"]["state"] == "up to date"

    (place / "a.json").unlink()
    refused = clone.invoke("deploy", "--project", "reader", "--prune", env=account.environ)
    assert (refused.exit, refused.stderr.splitlines()[-2:]) == (
        2,
        [
            "error: deploy: remove 1 stored config file that is not here: a.json: needs --yes without a terminal",
            "hint: invoke deploy --prune --project reader --yes",
        ],
    )
    invoke(clone, account, "deploy", "--prune", "--yes")
    assert stored(account) == (3, {"b.json": "{}", "c.json": "{}"})
    assert seen_by_a_run(clone, account) == ["b.json", "c.json"]


STORED = ("runs/one/run.json", "history/2026-01-01.jsonl", ".artifacts/a.csv", ".artifacts/state", ".lock")
RELEASED = b'{"run_id": "one", "holder": "host", "released": true}'
BROKEN = "comands: [{command: date}]\n"


def test_two_repositories_share_an_environment(checkout: Checkout, aws_account: AwsAccount, tmp_path: Path) -> None:
    """Each with a project of its own, and one with errors; in the first an earlier handoff has stored untagged objects."""
    other = make_checkout(tmp_path / "other", checkout.cache)
    for each, name in ((checkout, "reader"), (other, "writer")):
        each.project(name, READS)
        each.project("broken", BROKEN)
        push_image(each, name, aws_account)

    def deploy(where: Checkout, *words: str, code: int = 0) -> list[str]:
        result = where.invoke("deploy", "--yes", *words, env=aws_account.environ)
        assert result.exit == code, result
        return result.stderr.splitlines()

    assert "create stack handoff-dev:" in deploy(checkout, "--project", "reader")
    said = deploy(other, "--all", code=1)
    assert said[0].startswith("error: projects/broken/project.yml:1:1: `comands` is not a known key")
    assert [line for line in said if line.startswith(("create", "update", "stack handoff-dev:"))] == [
        "create stack handoff-dev-writer:"
    ]
    assert said[-2:] == ["error: 1 of 2 projects not deployed: broken", "hint: invoke deploy --project broken"]
    assert "no changes: the deployment is up to date" in deploy(checkout, "--project", "reader")

    shown = checkout.invoke("status", env=aws_account.environ)
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:]] == [
        ["broken", "none"],
        ["reader", "deployed"],
        ["writer", "deployed"],
    ]
    words = ("schedule", "--project", "reader", "--cron", "0 2 * * *", "--dry")
    assert checkout.invoke(*words, env=aws_account.environ).exit == 0

    bucket = resource_names.bucket("dev", aws_account.account, REGION)
    store_untagged(aws_account, bucket)
    refused = checkout.invoke("deploy", "--project", "reader", env=aws_account.environ)
    what = (
        f"tag 11 stored versions below s3://{bucket}/handoff-dev-reader/ with their retention"
        " (keep: {runs: 90d, artifacts: 30d, states: 50})"
    )
    assert (refused.exit, refused.stderr.splitlines()[-3:]) == (
        2,
        [
            "note: once stored versions have these tags, S3 deletes those that are older than `keep` says",
            f"error: deploy: {what}: needs --yes without a terminal",
            "hint: invoke deploy --project reader --yes",
        ],
    )
    assert f"would {what}" in deploy(checkout, "--project", "reader", "--dry")
    assert tags(aws_account, bucket) == {"none", "keep-old=30"}  # the latter of deployments.jsonl
    said = deploy(checkout, "--project", "reader")
    assert next(line for line in said if line.startswith(("tag", "store"))) == what
    assert tags(aws_account, bucket) == {"keep=90", "keep-old=30", "keep-old=1", "states=50"}
    assert "no changes: the deployment is up to date" in deploy(checkout, "--project", "reader")

    checkout.project("reader", f"{READS}keep: {{runs: 30d}}\n", {".local/token": "ssm:/shop/token\n"})
    said = deploy(checkout, "--project", "reader")
    assert "note: the role of the task is granted to read ssm:/shop/token" in said
    assert "  ~ TaskRole  AWS::IAM::Role  Policies.0.PolicyDocument.Statement" in said
    (checkout.root / "projects/reader/.local/token").unlink()
    assert "no changes: the deployment is up to date" in deploy(checkout, "--project", "reader")
    assert tags(aws_account, bucket) == {"keep=30", "keep-old=30", "keep-old=1", "states=50"}


def store_untagged(aws_account: AwsAccount, bucket: str) -> None:
    """What an earlier handoff has stored: two versions of each object, and params without `keep`."""
    for key in (*STORED, *STORED):
        aws_account.boto("s3").put_object(Bucket=bucket, Key=f"handoff-dev-reader/{key}", Body=RELEASED)
    ssm = aws_account.boto("ssm")
    document = json.loads(ssm.get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"])
    assert document["pipeline"].pop("keep") == {"runs": 90, "artifacts": 30, "states": 50}
    ssm.put_parameter(Name=PARAMETER, Value=json.dumps(document), Type="SecureString", Overwrite=True)


def tags(aws_account: AwsAccount, bucket: str) -> set[str]:
    """The tags of all versions the project has stored."""
    s3, found = aws_account.boto("s3"), set[str]()
    for one in s3.list_object_versions(Bucket=bucket, Prefix="handoff-dev-reader/")["Versions"]:
        place = {"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
        every = [f"{tag['Key']}={tag['Value']}" for tag in s3.get_object_tagging(**place)["TagSet"]]
        assert len(every) <= 1
        found.update(every or ["none"])
    return found
