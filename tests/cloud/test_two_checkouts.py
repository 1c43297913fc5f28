"""The life of a project from two checkouts: config files that one has and a fresh clone does not, on the testbed.

The clone is also a repository with projects of its own in the same environment, one of which has errors.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from doubles.checkout import Checkout, make_checkout
from doubles.moto_bucket import REGION

from handoff_kit import resource_names

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.account import Account
    from doubles.checkout import InvokeResult

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

    clone.project("broken", "comands: [{command: date}]\n")
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

    untagged(account)
    result = invoke(clone, account, "deploy", "--yes")
    versions = len(tags(account))
    bucket = resource_names.bucket("dev", account.number, REGION)
    assert result.stderr.splitlines()[1:] == [
        "note: once stored versions have these tags, S3 deletes those that are older than `keep` says",
        f"tag {versions} stored versions below s3://{bucket}/handoff-dev-reader/ with their retention"
        " (keep: {runs: 90d, artifacts: 30d, states: 50})",
        *result.stderr.splitlines()[3:],
    ]
    assert {tag for each in tags(account) for tag in each} == {
        *(("keep", "90"), ("keep-old", "30"), ("keep-old", "1"), ("states", "50"))
    }
    assert {len(each) for each in tags(account)} == {1}
    assert "no changes: the deployment is up to date\n" in invoke(clone, account, "deploy", "--yes").stderr

    clone.project("writer", READS)
    result = clone.invoke("deploy", "--all", "--yes", env=account.environ)
    assert (result.exit, result.stderr.splitlines()[-2:]) == (
        1,
        ["error: 1 of 3 projects not deployed: broken", "hint: invoke deploy --project broken"],
    )
    assert "projects/broken/project.yml:1:1: `comands` is not a known key" in result.stderr
    assert "stack handoff-dev:" not in result.stderr
    assert {"handoff-dev-reader", "handoff-dev-writer"} <= account.stacks().keys()
    assert "no changes: the deployment is up to date\n" in invoke(clone, account, "deploy", "--yes").stderr


def tags(account: Account) -> list[list[tuple[str, str]]]:
    """The tags of each stored version of the project."""
    return [[(tag["Key"], tag["Value"]) for tag in tagging] for _, tagging in versions(account)]


def versions(account: Account) -> list[tuple[dict[str, str], list[dict[str, str]]]]:
    s3, bucket = account.boto("s3"), resource_names.bucket("dev", account.number, REGION)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix="handoff-dev-reader/")
    found = [one for page in pages for one in page["Versions"]]
    places = [{"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
    return [(place, s3.get_object_tagging(**place)["TagSet"]) for place in places]


def untagged(account: Account) -> None:
    """The project as an earlier handoff has deployed it."""
    for place, _ in versions(account):
        account.boto("s3").delete_object_tagging(**place)
    ssm = account.boto("ssm")
    document = json.loads(ssm.get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"])
    assert document["pipeline"].pop("keep") == {"runs": 90, "artifacts": 30, "states": 50}
    ssm.put_parameter(Name=PARAMETER, Value=json.dumps(document), Type="SecureString", Overwrite=True)
