"""The life of a project from two checkouts: config files that one has and a fresh clone does not, on the testbed."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from doubles.checkout import Checkout, make_checkout

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
