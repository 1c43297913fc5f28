"""The tasks that meet AWS, as a person types them, against a real server: whole outputs, and what lies there after."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import random
import re
import string
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles import transcript
from doubles.checkout import ROOT, InvokeResult
from doubles.forkserver import ForkServer
from doubles.moto_bucket import REGION
from doubles.protocols import Refusal
from doubles.stub_project import ACCOUNT, PROJECT, SECRET
from doubles.terminal import show

from handoff_runtime import history, params

if TYPE_CHECKING:
    from doubles.checkout import Checkout
    from doubles.fault_proxy import Proxy
    from doubles.moto_bucket import MotoBucket
    from doubles.stub_project import MotoProject

pytestmark = pytest.mark.takes(200)

GOLDEN = Path(__file__).parents[1] / "golden/help"
TASKS = (
    *(
        "params.push",
        "params.pull",
        "params.dump",
        "params.diff",
        "params.history",
        "params.make",
        "files.push",
        "files.list",
    ),
    *("artifacts.get", "artifacts.list", "artifacts.clear"),
    *("state.show", "state.history", "state.edit", "state.restore", "state.clear", "history", "history.show"),
    "cost",
)
DRY = "nothing was done: --dry\n"


# what there is


@pytest.mark.parametrize("task", TASKS)
def test_the_help_of(checkout: Checkout, task: str) -> None:
    """UPDATE_GOLDENS=1 writes them anew; `--help` must not run the task."""
    result = checkout.invoke(task, "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        (GOLDEN / f"{task}.txt").write_text(result.stdout, encoding="utf-8")
    assert result == InvokeResult(0, (GOLDEN / f"{task}.txt").read_text(encoding="utf-8"), "")


def test_params_alone_is_params_make(shop: MotoProject) -> None:
    alone = shop.raw("params")
    assert alone == shop.raw("params.make")
    assert json.loads(alone.stdout)["pipeline"]["project"] == shop.name
    result = shop.invoke("params", "--output", "p.json")
    assert result.stderr.splitlines()[-1] == "next: invoke run-local --project shop --params p.json"


# what is stored, for retention


KEPT = "keep: {artifacts: 5d, states: 20}\nstate: singer\ncommands: [{command: cat}]\n"


def test_what_tasks_store_has_the_tags_of_the_stored_params(shop: MotoProject) -> None:
    (shop.directory / "project.yml").write_text(KEPT, encoding="utf-8")
    for words in (("params.push",), ("files.push",), ("state.edit", "--file", _text_file(shop, "{}"))):
        assert shop.invoke(*words).exit == 0
    assert _tags(shop) == {
        ".artifacts/state": {"states": "20"},
        ".env/files/a.csv": {"keep-old": "7"},
        ".env/files/deep/ü b.csv": {"keep-old": "7"},
    }
    version = next(version for key, version in shop.stored()["objects"] if key.endswith("/state"))
    shop.invoke("state.edit", "--file", _text_file(shop, '{"a": 1}'))
    assert shop.raw("state.restore", "--version", version).exit == 0
    assert _tags(shop)[".artifacts/state"] == {"states": "20"}


def test_a_push_leaves_changed_keep_and_span_to_the_next_deployment(shop: MotoProject) -> None:
    """Which tags what is stored, before runs go by it, and stores by when the next run must succeed."""
    shop.invoke("params.push")
    (shop.directory / "project.yml").write_text(f"{KEPT}meter: off\nexpect: {{success_within: 1d}}\n", encoding="utf-8")
    result = shop.invoke("params.push")
    later = "takes effect with the next deployment"
    notes = [f"note: keep: {{runs: 90d, artifacts: 7d, states: 20}} {later}", f"note: expect.success_within {later}"]
    assert result.stderr.splitlines()[:2] == notes
    stored = json.loads(shop.raw("params.dump", "--reveal").stdout)["pipeline"]
    assert (stored["meter"], stored["keep"]) == ("off", {"runs": 90, "artifacts": 30, "states": 50})
    assert "expect" not in stored


def _text_file(shop: MotoProject, text: str) -> str:
    path = shop.checkout.root / "text"
    path.write_text(text, encoding="utf-8")
    return str(path)


def _tags(shop: MotoProject) -> dict[str, dict[str, str]]:
    """The tags of the newest version of each object."""
    s3, bucket = shop.aws.boto("s3"), shop.aws.bucket
    keys = shop.keys()
    found = [s3.get_object_tagging(Bucket=bucket, Key=f"{shop.stack}/{key}")["TagSet"] for key in keys]
    return {key: {tag["Key"]: tag["Value"] for tag in tags} for key, tags in zip(keys, found, strict=True)}


# params


def test_params_that_became_shorter_stay_in_the_advanced_tier(shop: MotoProject, proxy: Proxy) -> None:
    """AWS refuses to lower the tier, in these words; moto would not."""
    shop.invoke("params.push")
    (shop.directory / ".local/note.txt").write_text("other words\n", encoding="utf-8")
    refusal = Refusal(
        400,
        "ValidationException",
        "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter "
        "tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it.",
    )
    proxy.fault("answer", path="PutParameter", times=1, refusal=lambda _: refusal)
    result = shop.invoke("params.push", AWS_ENDPOINT_URL=proxy.url)
    assert re.sub(r"\d+ bytes", "N bytes", result.stderr).splitlines()[:3] == [
        "note: parameter handoff-dev-shop__params stays in the advanced tier, since AWS refuses to move it back",
        "hint: to move it back: docs/guide/config-and-state.md#back-to-the-standard-tier",
        "store parameter handoff-dev-shop__params (N bytes, plain, advanced tier)",
    ]
    named = [{"Key": "Name", "Values": [f"{shop.stack}__params"]}]
    found = shop.aws.boto("ssm").describe_parameters(ParameterFilters=named)["Parameters"]
    assert [(one["Version"], one["Tier"]) for one in found] == [(2, "Advanced")]


def test_a_push_says_that_a_new_reference_needs_a_deployment(shop: MotoProject) -> None:
    shop.invoke("params.push")
    (shop.directory / ".local/note.txt").write_text("ssm:/shop/token\n", encoding="utf-8")
    notes = "note: the task may read ssm:/shop/token after the next deployment\nhint: invoke deploy --project shop\n"
    assert notes in shop.invoke("params.push").stderr
    assert "ssm:" not in shop.invoke("params.push").stderr


def test_params_are_stored_once_and_told(shop: MotoProject) -> None:
    first = shop.invoke("params.push")
    stored = shop.stored()["parameters"]
    assert re.sub(r"\d+ bytes", "N bytes", first.stderr) == (
        "store parameter handoff-dev-shop__params (N bytes, plain, standard tier)\n"
        "next: invoke files.push --project shop\n"
    )
    assert (first.exit, first.stdout, [version for version, _ in stored]) == (0, "", [1])
    again = "parameter handoff-dev-shop__params is up to date (version 1)\nnext: invoke files.push --project shop\n"
    assert shop.invoke("params.push") == InvokeResult(0, "", again)
    assert shop.stored()["parameters"] == stored


def test_what_is_stored_is_the_document(shop: MotoProject) -> None:
    shop.invoke("params.push")
    result = shop.raw("params.dump", "--reveal")
    assert result.stdout == shop.raw("params").stdout
    assert "{{" not in shop.stored()["parameters"][0][1]
    named = [{"Key": "Name", "Values": [f"{shop.stack}__params"]}]
    found = shop.aws.boto("ssm").describe_parameters(ParameterFilters=named)["Parameters"]
    assert [(one["Type"], one["Tier"]) for one in found] == [("SecureString", "Standard")]


def test_a_dump_hides_every_value_of_the_config(shop: MotoProject) -> None:
    shop.invoke("params.push")
    result = shop.invoke("params.dump")
    assert json.loads(result.stdout)["files"] == [
        {"name": "note.txt", "value": "***"},
        {"name": "tap.json", "value": '{"token": "***", "user": "***"}'},
    ]
    assert result.stderr == "parameter handoff-dev-shop__params, version 1\nnext: invoke params.diff --project shop\n"


def test_a_difference_is_told_by_key(shop: MotoProject) -> None:
    shop.invoke("params.push")
    same = "no difference: version 1 of parameter handoff-dev-shop__params is up to date\n"
    assert shop.invoke("params.diff") == InvokeResult(0, "", same)
    changed = {"token": "another-secret", "user": "ann", "more": 1}
    (shop.directory / ".local/tap.json").write_text(json.dumps(changed), encoding="utf-8")
    (shop.directory / ".local/note.txt").unlink()
    (shop.directory / "project.yml").write_text("vars: {base: JPY}\nstate: singer\ncommands: [{command: cat}]\n")
    result = shop.invoke("params.diff")
    assert result.stdout.splitlines() == [
        f"+ .local/tap.json: more  {_short('1')}",
        f"~ .local/tap.json: token  {_short(SECRET)} -> {_short('another-secret')}",
        f"~ stages  {_short(json.dumps(['echo', 'cat']))} -> {_short(json.dumps(['cat']))}",
        f"- stages.echo.argv  {_short(json.dumps(['echo', '{{ base }}']))}",
        f"- stages.echo.envs  {_short('{}')}",
        f"- stages.echo.name  {_short('echo')}",
        f"- stages.echo.venv  {_short('null')}",
        f"~ vars.base  {_short('EUR')} -> {_short('JPY')}",
        "= .local/note.txt  stored only",
    ]
    assert result.stderr == (
        "= stored in version 1 only; a push keeps it\n"
        "- stored in version 1, + local\n"
        "next: invoke params.push --project shop\n"
    )


def _short(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]


def test_earlier_params_are_listed_and_shown(shop: MotoProject) -> None:
    shop.invoke("params.push")
    (shop.directory / ".local/note.txt").write_text("others\n", encoding="utf-8")
    shop.invoke("params.push")
    result = shop.invoke("params.history")
    assert result == InvokeResult(
        0,
        "VERSION  STORED  BY  TIER\n      2  TIME  N/A  standard\n      1  TIME  N/A  standard\n",
        "next: invoke params.dump --version N --project shop\n",
    )
    first = shop.raw("params.dump", "--reveal", "--version", "1")
    assert json.loads(first.stdout)["files"][0]["value"] == "plain words\n"


def test_params_of_a_file(shop: MotoProject) -> None:
    shop.invoke("params", "--output", "p.json")
    (shop.directory / ".local/note.txt").unlink()
    shop.invoke("params.push", "--params", "p.json")
    assert json.loads(shop.raw("params.dump", "--reveal").stdout)["files"][0]["name"] == "note.txt"


def test_long_params_are_compressed(shop: MotoProject) -> None:
    rows = "".join(f"name-{number} = value\n" for number in range(1000))
    (shop.directory / ".local/long.txt").write_text(rows, encoding="utf-8")
    assert "compressed, standard tier" in shop.invoke("params.push").stderr
    assert json.loads(shop.raw("params.dump", "--reveal").stdout)["files"][0]["value"] == rows


def test_damaged_params_are_replaced(shop: MotoProject) -> None:
    _put_parameter(shop, f"{params.MARK}{params.FORMATS[0]}:AAAA")
    damaged = shop.invoke("params.dump")
    assert (damaged.exit, damaged.stderr.splitlines()[-1]) == (1, "hint: store them again: invoke params.push")
    assert shop.invoke("params.push").exit == 0
    assert shop.invoke("params.dump").exit == 0


def _put_parameter(shop: MotoProject, value: str) -> None:
    name = f"{shop.stack}__params"
    shop.aws.boto("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


# files


def test_files_are_uploaded_when_they_changed(shop: MotoProject) -> None:
    after = "next: invoke files.list --project shop\n"
    both = "upload a.csv (2 bytes)\nupload deep/ü b.csv (3 bytes)\n"
    assert shop.invoke("files.push") == InvokeResult(0, "", both + after)
    assert shop.keys() == [".env/files/a.csv", ".env/files/deep/ü b.csv"]
    assert shop.invoke("files.push") == InvokeResult(0, "", "2 files up to date\n" + after)
    (shop.directory / "files/a.csv").write_text("2\n", encoding="utf-8")
    assert shop.invoke("files.push") == InvokeResult(0, "", "upload a.csv (2 bytes)\n" + after)


def test_stored_files_that_are_gone_here_are_removed_when_asked(shop: MotoProject) -> None:
    shop.invoke("files.push")
    (shop.directory / "files/a.csv").unlink()
    kept = (
        "note: 1 stored file is not here any more: a.csv\n"
        "hint: to delete them: invoke files.push --prune --project shop\n"
        "1 file up to date\n"
    )
    after = "next: invoke files.list --project shop\n"
    assert shop.invoke("files.push") == InvokeResult(0, "", kept + after)
    removed = "delete s3://BUCKET/handoff-dev-shop/.env/files/a.csv\n"
    assert shop.invoke("files.push", "--prune") == InvokeResult(0, "", removed + after)
    assert shop.keys() == [".env/files/deep/ü b.csv"]


def test_files_are_listed(shop: MotoProject) -> None:
    none = "no files of project shop in bucket BUCKET\nnext: invoke files.push --project shop\n"
    assert shop.invoke("files.list") == InvokeResult(0, "", none)
    shop.invoke("files.push")
    result = shop.invoke("files.list")
    assert result.stdout == "PATH  BYTES  STORED\na.csv  2  TIME\ndeep/ü b.csv  3  TIME\n"


# artifacts


def test_artifacts_are_listed_and_fetched(shop: MotoProject) -> None:
    for path in ("state", "deep/out.csv"):
        shop.put(f".artifacts/{path}", f"of {path}\n")
    listed = shop.invoke("artifacts.list")
    assert listed.stdout == "PATH  BYTES  STORED\ndeep/out.csv  16  TIME\nstate  9  TIME\n"
    result = shop.invoke("artifacts.get")
    where = "build/shop/artifacts/current"
    assert result.stderr == (
        f"fetch deep/out.csv (16 bytes) into {where}\nfetch state (9 bytes) into {where}\nnext: ls {where}\n"
    )
    target = shop.checkout.root / "build" / shop.name / "artifacts/current"
    found = {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"deep/out.csv": "of deep/out.csv\n", "state": "of state\n"}


def test_artifacts_of_a_run_into_a_directory(shop: MotoProject) -> None:
    shop.put("runs/R1/artifacts/out.csv", "x\n")
    result = shop.invoke("artifacts.get", "--run", "R1", "--output", "here it is")
    assert result.stderr == "fetch out.csv (2 bytes) into 'here it is'\nnext: ls 'here it is'\n"
    assert (shop.checkout.root / "here it is/out.csv").read_text() == "x\n"
    assert shop.invoke("artifacts.list", "--run", "R1").stdout == "PATH  BYTES  STORED\nout.csv  2  TIME\n"


def test_cleared_artifacts_leave_state_and_runs(shop: MotoProject) -> None:
    for key in (".artifacts/out.csv", ".artifacts/state", "runs/R1/artifacts/out.csv"):
        shop.put(key, "x\n")
    before = shop.stored()
    asked = shop.invoke("artifacts.clear")
    assert asked == InvokeResult(
        2,
        "",
        "error: artifacts.clear: delete 1 artifact of project shop (out.csv): needs --yes without a terminal\n"
        "hint: invoke artifacts.clear --project shop --yes\n",
    )
    assert shop.stored() == before
    result = shop.invoke("artifacts.clear", "--yes")
    removed = "delete s3://BUCKET/handoff-dev-shop/.artifacts/out.csv\n"
    assert result == InvokeResult(0, "", f"{removed}next: invoke artifacts.list --project shop\n")
    assert shop.keys() == [".artifacts/state", "runs/R1/artifacts/out.csv"]


@pytest.mark.parametrize(
    ("answer", "exit_code", "left"),
    [
        pytest.param(b"y\n", 0, [], id="yes"),
        pytest.param(b"n\n", 1, [".artifacts/state"], id="no"),
        pytest.param(b"\n", 1, [".artifacts/state"], id="nothing"),
    ],
)
def test_a_person_is_asked(shop: MotoProject, answer: bytes, exit_code: int, left: list[str]) -> None:
    shop.put(".artifacts/state", "{}\n")
    ours, theirs = pty.openpty()
    question = "delete the state of project shop (3 bytes)? [y/N] "
    with shop.start("state.clear", stdin=theirs, stderr=-1) as process:
        assert process.stderr
        asked = process.stderr.read(len(question) - len("shop") + len(shop.name))
        os.write(ours, answer)  # what is typed before the question is discarded
        _, stderr = process.communicate(timeout=60)
    for end in (ours, theirs):
        os.close(end)
    stderr = asked + stderr
    assert (process.returncode, shop.stable(stderr.decode())[: len(question)]) == (exit_code, question)
    assert shop.keys() == left


# state


def test_the_state_is_shown_whole(shop: MotoProject) -> None:
    shop.put(".artifacts/state", '{"a":  1}\n\n')
    result = shop.raw("state.show")
    assert (result.exit, result.stdout) == (0, '{"a":  1}\n\n')
    assert shop.stable(result.stderr) == "version VERSION, stored TIME\nnext: invoke state.history --project shop\n"


def test_an_earlier_state_comes_back(shop: MotoProject) -> None:
    for number in (1, 2):
        shop.put(".artifacts/state", json.dumps({"a": number}))
    listed = shop.raw("state.history").stdout
    rows = [line.split() for line in listed.splitlines()]
    assert [row[2:] for row in rows] == [["BYTES", "WHAT"], ["8", "current"], ["8", "earlier"]]
    earlier = rows[2][0]
    assert shop.raw("state.show", "--version", earlier).stdout == '{"a": 1}'
    result = shop.invoke("state.restore", "--version", earlier)
    assert result == InvokeResult(
        0,
        "",
        "store version VERSION of TIME as s3://BUCKET/handoff-dev-shop/.artifacts/state (8 bytes)\n"
        "next: invoke state.show --project shop\n",
    )
    assert shop.raw("state.show").stdout == '{"a": 1}'
    again = shop.invoke("state.restore", "--version", earlier)
    assert again.stderr == "the state is already that of version VERSION\nnext: invoke state.show --project shop\n"


def test_a_cleared_state_comes_back(shop: MotoProject) -> None:
    shop.put(".artifacts/state", '{"a": 1}\n')
    result = shop.raw("state.clear", "--yes")
    assert shop.stable(result.stderr) == (
        "delete s3://BUCKET/handoff-dev-shop/.artifacts/state (9 bytes)\n"
        "next: invoke state.restore --version VERSION --project shop\n"
    )
    none = shop.invoke("state.show")
    assert none == InvokeResult(
        1,
        "",
        "error: s3://BUCKET/handoff-dev-shop/.artifacts/state: no state found\n"
        "hint: a run leaves one; earlier ones: invoke state.history --project shop\n",
    )
    assert [line.split()[-1] for line in shop.raw("state.history").stdout.splitlines()] == [
        "WHAT",
        "cleared",
        "earlier",
    ]
    words = result.stderr.splitlines()[-1].split()
    assert shop.raw("state.restore", "--version", words[words.index("--version") + 1]).exit == 0
    assert shop.raw("state.show").stdout == '{"a": 1}\n'


def _editor(shop: MotoProject, program: str) -> str:
    """An editor that runs a program over the file; sys.argv[1] is its path."""
    script = shop.checkout.root / "editor.py"
    script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{program}\n", encoding="utf-8")
    return f"{sys.executable} {script}"


def test_a_state_is_edited(shop: MotoProject) -> None:
    shop.put(".artifacts/state", '{"a": 1}\n')
    result = shop.invoke("state.edit", EDITOR=_editor(shop, "path.write_text(path.read_text().replace('1', '2'))"))
    assert result == InvokeResult(
        0,
        "",
        "store s3://BUCKET/handoff-dev-shop/.artifacts/state (9 bytes)\nnext: invoke state.show --project shop\n",
    )
    assert shop.raw("state.show").stdout == '{"a": 2}\n'
    unchanged = shop.invoke("state.edit", EDITOR=_editor(shop, ""))
    assert unchanged.stderr == "the state is unchanged\nnext: invoke state.show --project shop\n"


def test_a_first_state_is_edited_in(shop: MotoProject) -> None:
    shop.invoke("state.edit", EDITOR=_editor(shop, "assert path.read_text() == '{}\\n'; path.write_text('{\"a\": 1}')"))
    assert shop.raw("state.show").stdout == '{"a": 1}'


def test_an_edited_state_that_is_none_is_kept_beside(shop: MotoProject) -> None:
    shop.put(".artifacts/state", '{"a": 1}\n')
    before = shop.stored()
    result = shop.invoke("state.edit", EDITOR=_editor(shop, "path.write_text('{')"))
    own = "build/shop/state.edited"
    assert result == InvokeResult(
        2,
        "",
        f"error: {own}: found no JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)),"
        " expected a JSON object (state: singer)\n"
        f"hint: correct it, then: invoke state.edit --project shop --file {own}\n",
    )
    assert shop.stored() == before
    draft = shop.checkout.root / "build" / shop.name / "state.edited"
    assert (draft.read_text(), draft.stat().st_mode & 0o777) == ("{", 0o600)
    draft.write_text('{"a": 5}')
    assert shop.invoke("state.edit", "--file", str(draft)).exit == 0
    assert shop.raw("state.show").stdout == '{"a": 5}'


def test_a_state_stored_meanwhile_is_not_overwritten(shop: MotoProject) -> None:
    shop.put(".artifacts/state", '{"a": 1}\n')
    program = f"""
import boto3
boto3.client("s3", region_name={REGION!r}).put_object(
    Bucket={shop.aws.bucket!r}, Key={shop.stack + "/.artifacts/state"!r}, Body=b'{{"of": "a run"}}',
    ExpectedBucketOwner={ACCOUNT!r})
path.write_text('{{"a": 2}}')"""
    result = shop.invoke("state.edit", EDITOR=_editor(shop, program))
    assert result == InvokeResult(
        1,
        "",
        "error: s3://BUCKET/handoff-dev-shop/.artifacts/state: changed since it was read, probably by a run;"
        " nothing was replaced\n"
        "hint: see what is there now: invoke state.show --project shop, then:"
        " invoke state.edit --project shop --file build/shop/state.edited\n",
    )
    assert shop.raw("state.show").stdout == '{"of": "a run"}'


def test_a_run_under_way_is_told(shop: MotoProject) -> None:
    shop.put(".artifacts/state", '{"a": 1}\n')
    lease = {"run_id": "R1", "holder": "x", "heartbeat_seconds": 20, "lease_seconds": 90, "beat": 0}
    note = "note: run R1 is in progress; if the state changes now, that run fails to store its own\n"
    shop.put(".lock", json.dumps({**lease, "released": False}))
    assert shop.invoke("--dry", "state.clear").stderr.startswith(note)
    shop.put(".lock", json.dumps({**lease, "released": True}))
    assert not shop.invoke("--dry", "state.clear").stderr.startswith("note")


def test_a_state_of_a_bucket_without_versions_is_told_to_be_lost(shop: MotoProject) -> None:
    s3 = shop.aws.boto("s3")
    plain = f"{shop.aws.bucket}-plain"
    s3.create_bucket(Bucket=plain, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=plain, Key=f"{shop.stack}/.artifacts/state", Body=b"{}")
    asked = shop.invoke("state.clear", S3_BUCKET_NAME=plain)
    question = "delete the state of project shop (2 bytes, of which this bucket keeps no version)"
    assert asked.stderr.startswith(f"error: state.clear: {question}: needs --yes without a terminal")
    result = shop.invoke("state.clear", "--yes", S3_BUCKET_NAME=plain)
    assert result.stderr.splitlines()[-1] == "next: invoke run-local --project shop"


# history


def _record(day: int, **more: Any) -> dict[str, Any]:
    stage = {"name": "cat", "argv": ["cat"], "verdict": "ok", "exit": 0, "signal": None, "seconds": 1.5}
    figures = {"cpu_seconds": 0.5, "peak_memory_bytes": 14_000_000, "rows_in": 1200, "rows_out": 3, "bytes_out": 40}
    return {
        "format": 1,
        "run_id": f"R{day}",
        "project": "shop",
        "environment": "dev",
        "command": "run",
        "trigger": "schedule",
        "attempt": 1,
        "started_at": f"2026-10-{day:02}T04:00:00.100Z",
        "ended_at": f"2026-10-{day:02}T04:01:05.200Z",
        "seconds": 65.1,
        "outcome": "succeeded",
        "exit": 0,
        "culprit": None,
        "reason": None,
        "params_version": "3",
        "image_digest": None,
        "stages": [{**stage, **figures}],
        "state": {"mode": "all", "before": None, "after": {"bytes": 40, "crc32": "0"}, "replaced": True},
        **more,
    }


FAILED: dict[str, Any] = {
    "outcome": "failed",
    "exit": 3,
    "culprit": "cat",
    "reason": "stage cat ended with exit 3",
    "state": {"mode": "all", "before": None, "after": None, "replaced": False},
}


@pytest.fixture
def past(shop: MotoProject) -> MotoProject:
    """Thirty days, a run each, of which the tenth failed."""
    for day in range(1, 31):
        record = _record(day, **(FAILED if day == 10 else {}))
        shop.put(f"history/{record['started_at'][:10]}.jsonl", history.index_line(record).decode())
    shop.put("runs/R10/run.json", json.dumps(_record(10, **FAILED)))
    shop.put("runs/R10/artifacts/stderr.log", "".join(f"line {number}\n" for number in range(50)))
    return shop


HEAD = "START  TRIGGER  OUTCOME  CULPRIT  DURATION  ROWS  ATTEMPT  STATE  RUN\n"


def _ids(result: InvokeResult) -> list[str]:
    return [line.split()[-1] for line in result.stdout.splitlines()[1:]]


def test_the_history_in_aws(past: MotoProject) -> None:
    result = past.invoke("history", "--remote", "--last", "2")
    row = "TIME  schedule  succeeded  -  1 m 05 s  1,200  1  replaced  "
    after = "next: invoke history.show --run R30 --remote --project shop\n"
    assert result == InvokeResult(0, f"{HEAD}{row}R30\n{row}R29\n", after)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param([], [f"R{day}" for day in range(30, 10, -1)], id="the last twenty"),
        pytest.param(["--failed"], ["R10"], id="failed"),
        pytest.param(["--since", "2026-10-29"], ["R30", "R29"], id="since a day"),
        pytest.param(["--since", "2026-10-29T04:00:01Z"], ["R30"], id="since a moment"),
        pytest.param(["--since", "2026-10-01"], [f"R{day}" for day in range(30, 0, -1)], id="since without last"),
        pytest.param(["--since", "2026-10-01", "--last", "1"], ["R30"], id="since and last"),
    ],
)
def test_runs_are_chosen(past: MotoProject, flags: list[str], expected: list[str]) -> None:
    assert _ids(past.invoke("history", "--remote", *flags)) == expected


def test_the_history_as_json(past: MotoProject) -> None:
    result = past.raw("history", "--remote", "--failed", "--json")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [history.summary(_record(10, **FAILED))]


def test_one_run_in_aws(past: MotoProject) -> None:
    result = past.invoke("history.show", "--remote", "--run", "R10", "--lines", "2")
    assert result == InvokeResult(
        0,
        """\
run  R10
project  shop (dev)
started  2026-10-10T04:00:00.100Z, by schedule, attempt 1
outcome  failed, exit 3: stage cat ended with exit 3
duration  1 m 05 s
state  none
params  3

STAGE  ENDED  SECONDS  CPU S  MEMORY MB  ROWS IN  ROWS OUT  BYTES OUT
cat  0  1.50  0.50  14.0  1,200  3  40

the last 2 lines of its log:
line 48
line 49
""",
        "next: invoke artifacts.get --run R10 --project shop\n",
    )
    as_json = past.raw("history.show", "--remote", "--run", "R10", "--json")
    assert json.loads(as_json.stdout) == _record(10, **FAILED)


def test_the_history_here(shop: MotoProject) -> None:
    none = shop.invoke("history")
    assert none == InvokeResult(0, "", "no run found\nnext: invoke run-local --project shop\n")
    shop.invoke("run-local")
    shop.invoke("run-local", "--var", "base=JPY")
    result = shop.raw("history")
    record = json.loads((shop.directory / ".artifacts/run.json").read_text())
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[1:4] for row in rows[1:]] == [["local", "succeeded", "-"]] * 2
    assert rows[1][-1] == record["run_id"]
    shown = shop.raw("history.show")
    assert shown.stdout.startswith(f"run       {record['run_id']}\n")
    assert f"run {record['run_id']} of {shop.name}: echo | cat\n" in shown.stdout
    earlier = shop.raw("history.show", "--run", rows[2][-1])
    assert (earlier.exit, earlier.stdout.splitlines()[0]) == (0, f"run       {rows[2][-1]}")


# --dry


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(
            ["params.push"],
            "would store parameter handoff-dev-shop__params (N bytes, plain, standard tier)\n",
            id="params.push",
        ),
        pytest.param(
            ["files.push", "--prune"],
            "would upload a.csv (2 bytes)\nwould upload deep/ü b.csv (3 bytes)\n"
            "would delete s3://BUCKET/handoff-dev-shop/.env/files/old.csv\n",
            id="files.push",
        ),
        pytest.param(
            ["artifacts.get"],
            "would fetch out.csv (N bytes) into build/shop/artifacts/current\n"
            "would fetch state (N bytes) into build/shop/artifacts/current\n",
            id="artifacts.get",
        ),
        pytest.param(
            ["artifacts.clear"], "would delete s3://BUCKET/handoff-dev-shop/.artifacts/out.csv\n", id="artifacts.clear"
        ),
        pytest.param(
            ["state.clear"], "would delete s3://BUCKET/handoff-dev-shop/.artifacts/state (N bytes)\n", id="state.clear"
        ),
        pytest.param(
            ["state.edit"],
            "would open s3://BUCKET/handoff-dev-shop/.artifacts/state in an editor\n",
            id="state.edit",
        ),
        pytest.param(
            ["state.edit", "--file", "projects/shop/new"],
            "would store s3://BUCKET/handoff-dev-shop/.artifacts/state (N bytes)\n",
            id="state.edit of a file",
        ),
    ],
)
def test_dry_does_nothing_and_says_what(shop: MotoProject, words: list[str], expected: str, *, after: bool) -> None:
    for key in (".env/files/old.csv", ".artifacts/out.csv", ".artifacts/state"):
        shop.put(key, "{}")
    (shop.directory / "new").write_text("{}\n", encoding="utf-8")
    before, tree = shop.stored(), shop.checkout.tree()
    words = [word.replace("shop", shop.name) for word in words]
    result = shop.invoke(*([*words, "--dry"] if after else ["--dry", *words]))
    sizes = re.compile(r"\d+ bytes")
    assert (result.exit, result.stdout) == (0, "")
    assert sizes.sub("N bytes", result.stderr) == sizes.sub("N bytes", expected + DRY)
    assert (shop.stored(), shop.checkout.tree()) == (before, tree)


def test_dry_restores_nothing(shop: MotoProject) -> None:
    for number in (1, 2):
        shop.put(".artifacts/state", json.dumps({"a": number}))
    earlier = shop.raw("state.history").stdout.splitlines()[2].split()[0]
    before = shop.stored()
    result = shop.invoke("--dry", "state.restore", "--version", earlier)
    assert result.stderr == (
        "would store version VERSION of TIME as s3://BUCKET/handoff-dev-shop/.artifacts/state (8 bytes)\n" + DRY
    )
    assert shop.stored() == before


# names


def test_names_of_an_environment(shop: MotoProject) -> None:
    """Without S3_BUCKET_NAME the bucket's name follows from environment, account and region."""
    result = shop.invoke("files.list", "--environment", "Prod", S3_BUCKET_NAME="")
    assert result.stderr.startswith("error: bucket handoff-prod-123456789012-eu-central-1: no such bucket found\n")
    dry = shop.invoke("--dry", "params.push", HANDOFF_ENVIRONMENT="prod")
    assert dry.stderr.startswith("would store parameter handoff-prod-shop__params (")
    real = shop.invoke("params.push", HANDOFF_ENVIRONMENT="prod")
    assert real.stderr.endswith("next: invoke files.push --project shop --environment prod\n")


def test_names_that_are_given(shop: MotoProject) -> None:
    env = {"STACK_NAME": f"mine-{shop.name}", "S3_BUCKET_NAME": "", "S3_BUCKET": shop.aws.bucket}
    assert shop.invoke("files.push", **env).exit == 0
    assert shop.aws.keys() == [f"mine-{shop.name}/.env/files/a.csv", f"mine-{shop.name}/.env/files/deep/ü b.csv"]


def test_a_profile_is_enough(shop: MotoProject) -> None:
    """Region, keys and endpoint come from the files in ~/.aws, as boto3 reads them."""
    config = shop.checkout.root / "aws-config"
    keys = "aws_access_key_id = a\naws_secret_access_key = b\n"
    config.write_text(f"[profile team]\nregion = {REGION}\nendpoint_url = {shop.aws.endpoint}\n{keys}")
    unset = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    env = {**dict.fromkeys(unset, ""), "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "team"}
    assert shop.invoke("files.push", **env).exit == 0
    assert shop.keys() == [".env/files/a.csv", ".env/files/deep/ü b.csv"]


ROLE = "role_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = "
STATIC = "[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"
MFA = "mfa_serial = arn:aws:iam::123456789012:mfa/ann\n"
SSO = (
    "sso_start_url = https://sso.example.com/start\nsso_region = eu-central-1\nsso_account_id = 1\nsso_role_name = r\n"
)
CORRECT = "correct it in ~/.aws/config or ~/.aws/credentials; aws sts get-caller-identity --profile ci tries it"


@pytest.mark.parametrize(
    ("config", "message", "hint"),
    [
        pytest.param(
            f"[profile ci]\n{ROLE}base\n{MFA}{STATIC}",
            "an MFA code is required (mfa_serial), and no terminal gave one",
            'in a terminal: eval "$(aws configure export-credentials --profile ci --format env)"; or use another profile',
            id="an MFA device and no terminal",
        ),
        pytest.param(
            f"[profile ci]\n{ROLE}base\n",
            'The source_profile "base" referenced in the profile "ci" does not exist. (InvalidConfigError)',
            CORRECT,
            id="no such source_profile",
        ),
        pytest.param(
            f"[profile ci]\n{ROLE}b\n[profile b]\n{ROLE}ci\n",
            "Infinite loop in credential configuration detected. Attempting to load from profile ci which has already been"
            " visited. Visited profiles: ['ci', 'b'] (InfiniteLoopConfigError)",
            CORRECT,
            id="roles in a circle",
        ),
        pytest.param(
            "[profile ci]\nrole_arn = arn:aws:iam::123456789012:role/deploy\n",
            "Partial credentials found in assume-role, missing: source_profile or credential_source"
            " (PartialCredentialsError)",
            CORRECT,
            id="a role and no source_profile",
        ),
        pytest.param(
            "[profile ci]\ncredential_process = sh -c 'echo no ticket >&2; exit 1'\n",
            "Error when retrieving credentials from custom-process: no ticket (CredentialRetrievalError)",
            CORRECT,
            id="a program that fails",
        ),
        pytest.param(
            "[profile ci]\ncredential_process = no-such-program\n",
            "[Errno 2] No such file or directory: 'no-such-program' (FileNotFoundError)",
            CORRECT,
            id="no such program",
        ),
        pytest.param(
            "[profile ci]\ncredential_process = echo hello\n",
            "Expecting value: line 1 column 1 (char 0) (JSONDecodeError)",
            CORRECT,
            id="a program that prints no JSON",
        ),
        pytest.param(
            f"[profile ci]\n{SSO}",
            "the sign-in is missing or has expired"
            " (Error loading SSO Token: Token for https://sso.example.com/start does not exist)",
            "sign in again (aws sso login --profile ci), or export new keys;"
            " aws sts get-caller-identity --profile ci shows who you are",
            id="not signed in",
        ),
        pytest.param("profile ci", "Unable to parse config file: aws-config (ConfigParseError)", CORRECT, id="no INI"),
    ],
)
def test_a_profile_without_credentials(shop: MotoProject, config: str, message: str, hint: str) -> None:
    (shop.checkout.root / "aws-config").write_text(config, encoding="utf-8")
    env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "aws-config", "AWS_PROFILE": "ci"}
    result = shop.invoke("files.list", HOME=str(shop.checkout.root), **env)
    assert result == InvokeResult(1, "", f"error: profile ci: {message}\nhint: {hint}\n")


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        pytest.param(400, "ValidationError", CORRECT, id="which is none"),
        pytest.param(
            403,
            "AccessDenied",
            "allow sts:AssumeRole on the role to its source_profile, also in the role's trust policy",
            id="without permission",
        ),
    ],
)
def test_a_role_that_is_refused_is_no_answer_to_a_call(
    shop: MotoProject, proxy: Proxy, status: int, code: str, hint: str
) -> None:
    """CloudFormation says ValidationError too, of a stack that is not there."""
    (shop.checkout.root / "aws-config").write_text(f"[profile ci]\n{ROLE}base\n{STATIC}", encoding="utf-8")
    proxy.fault("answer", wants=lambda call: call.name == "sts:AssumeRole", status=status, code=code)
    env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "aws-config", "AWS_PROFILE": "ci"}
    result = shop.invoke("files.list", AWS_ENDPOINT_URL=proxy.url, **env)
    message = f"profile ci: AssumeRole answered {code} (by the proxy)"
    assert result == InvokeResult(1, "", f"error: {message}\nhint: {hint}\n")
    assert {call.name for call in proxy.passed} == set()


def test_keys_and_a_profile_together_are_noted(shop: MotoProject) -> None:
    (shop.checkout.root / "aws-config").write_text(f"[profile ci]\nregion = {REGION}\n", encoding="utf-8")
    shop.invoke("files.push")
    notes = [
        shop.invoke("files.list", AWS_CONFIG_FILE="aws-config", AWS_PROFILE="ci", AWS_REGION=region).stderr.splitlines()
        for region in (REGION, "")
    ]
    note = "note: AWS_ACCESS_KEY_ID is set, so its keys are used, not those of profile ci"
    assert [lines[0] for lines in notes] == [note, f"{note}; the region, {REGION}, is that of the profile"]


# mistakes

SEE = "hint: see which there are: invoke history --remote --project shop\n"


@pytest.mark.parametrize(
    ("words", "env", "exit_code", "message"),
    [
        pytest.param(
            ["files.list"],
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            1,
            "error: AWS credentials: no credentials found (Unable to locate credentials)\n"
            "hint: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; aws sts get-caller-identity tries them\n",
            id="no credentials",
        ),
        pytest.param(
            ["params.dump"],
            {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""},
            1,
            "error: no AWS region configured\nhint: export AWS_REGION=eu-central-1, or choose a profile\n",
            id="no region",
        ),
        pytest.param(
            ["params.dump"],
            {"AWS_PROFILE": "nobody"},
            1,
            "error: AWS_PROFILE: The config profile (nobody) could not be found\n"
            "hint: see which there are: aws configure list-profiles\n",
            id="no such profile",
        ),
        pytest.param(
            ["state.show"],
            {"S3_BUCKET_NAME": "not-there"},
            1,
            "error: bucket not-there: no such bucket found\n"
            "hint: set S3_BUCKET_NAME to the bucket of this environment, or make it: aws s3 mb s3://not-there\n",
            id="no bucket",
        ),
        pytest.param(
            ["files.list"],
            {"S3_BUCKET_NAME": "s3://My_Bucket/x"},
            2,
            "error: S3_BUCKET_NAME: found 's3://My_Bucket/x', expected the name of a bucket: 3 to 63 lower-case letters,"
            " digits, . and -\n"
            "hint: for example: export S3_BUCKET_NAME=my-bucket\n",
            id="no name of a bucket",
        ),
        pytest.param(
            ["files.list"],
            {"STACK_NAME": "a/b"},
            2,
            "error: STACK_NAME: found 'a/b', expected letters, digits, _, . and -, beginning with a letter or digit,"
            " at most 128 characters\n"
            "hint: unset STACK_NAME\n",
            id="no name of a stack",
        ),
        *(
            pytest.param(
                [task],
                {},
                1,
                "error: parameter handoff-dev-shop__params: no params found in region eu-central-1\n"
                "hint: store them: invoke params.push --project shop\n",
                id=f"{task} without params",
            )
            for task in ("params.dump", "params.diff", "params.history")
        ),
        pytest.param(
            ["params.dump", "--version", "new"],
            {},
            2,
            "error: --version: found 'new', expected a number from 1\nhint: for example: --version 20\n",
            id="no version of params",
        ),
        pytest.param(
            ["params.push", "--params", "project.yml"],
            {},
            2,
            "error: --params: project.yml: No such file or directory, expected a params document\n"
            "hint: write one: invoke params --project shop --output project.yml\n",
            id="no params file",
        ),
        pytest.param(
            ["history.show", "--remote", "--run", "R99"],
            {},
            1,
            f"error: run 'R99': found none in s3://BUCKET/handoff-dev-shop/runs/R99/, expected the id of a run\n{SEE}",
            id="unknown run",
        ),
        pytest.param(
            ["history.show", "--run", "R99"],
            {},
            1,
            "error: run 'R99': found none in projects/shop/.artifacts, expected the id of a run\n"
            "hint: see which there are: invoke history --project shop\n",
            id="unknown run here",
        ),
        pytest.param(
            ["history.show"],
            {},
            1,
            "error: history: found no run\nhint: run the project: invoke run-local --project shop\n",
            id="no run at all",
        ),
        pytest.param(
            ["history.show", "--run", "../x"],
            {},
            2,
            "error: --run: found '../x', expected the id of a run\nhint: the ids: invoke history\n",
            id="a path as run",
        ),
        pytest.param(
            ["artifacts.get", "--run", "R99"],
            {},
            1,
            "error: run R99: no artifacts found below s3://BUCKET/handoff-dev-shop/runs/R99/artifacts/\n"
            "hint: the runs: invoke history --remote --project shop\n",
            id="artifacts of an unknown run",
        ),
        pytest.param(
            ["history", "--since", "yesterday"],
            {},
            2,
            "error: --since: found 'yesterday', expected a time like 2026-01-31 or TIME,"
            " or a span like 90m, 24h, 7d, 2w\n"
            "hint: for example: --since 7d\n",
            id="no time",
        ),
        pytest.param(
            ["history", "--last", "0"],
            {},
            2,
            "error: --last: found '0', expected a number from 1\nhint: for example: --last 20\n",
            id="no number",
        ),
        pytest.param(
            ["state.restore"],
            {},
            2,
            "error: --version: missing, expected the id of a version\n"
            "hint: see which there are: invoke state.history --project shop\n",
            id="no version named",
        ),
        pytest.param(
            ["state.restore", "--version", "nope"],
            {},
            1,
            "error: s3://BUCKET/handoff-dev-shop/.artifacts/state: no version nope found\n"
            "hint: invoke state.history --project shop\n",
            id="no such version",
        ),
        pytest.param(
            ["state.edit"],
            {"EDITOR": "", "VISUAL": ""},
            2,
            "error: EDITOR is not set, and there is no terminal for vi\n"
            "hint: invoke state.edit --project shop --file FILE\n",
            id="no editor",
        ),
        pytest.param(
            ["state.edit"],
            {"EDITOR": "no-such-editor", "VISUAL": ""},
            2,
            "error: EDITOR: could not start no-such-editor: No such file or directory\n"
            "hint: for example: export EDITOR=vi\n",
            id="an editor that is none",
        ),
        pytest.param(
            ["state.edit"],
            {"EDITOR": "false", "VISUAL": ""},
            1,
            "error: false ended with exit 1; nothing was stored\n",
            id="an editor that fails",
        ),
        pytest.param(
            ["state.edit", "--file", "nothing"],
            {},
            2,
            "error: could not read nothing: No such file or directory\n",
            id="no file of a state",
        ),
    ],
)
def test_mistakes_are_told(
    shop: MotoProject, words: list[str], env: dict[str, str], exit_code: int, message: str
) -> None:
    before = shop.stored()
    assert shop.invoke(*words, **env) == InvokeResult(exit_code, "", message)
    assert shop.stored() == before


@pytest.mark.parametrize(
    "task", ["params.push", "params.pull", "params.dump", "params.diff", "files.push", "state.clear", "history"]
)
def test_the_stack_of_another_project_is_refused(shop: MotoProject, task: str) -> None:
    shop.invoke("params.push")
    shop.checkout.project("other", PROJECT)
    before = shop.stored()
    more = ["--remote"] if task == "history" else []
    result = shop.checkout.invoke(task, *more, "--project", "other", env={**shop.environ, "STACK_NAME": shop.stack})
    assert InvokeResult(result.exit, result.stdout, shop.stable(result.stderr)) == InvokeResult(
        2,
        "",
        "error: STACK_NAME: handoff-dev-shop is the stack of project 'shop', expected that of 'other'\n"
        "hint: unset STACK_NAME, or name its project: --project shop\n",
    )
    assert shop.stored() == before


def test_params_that_are_too_long_name_the_largest_file(shop: MotoProject) -> None:
    noise = "".join(random.choices(string.printable[:90], k=9000))
    (shop.directory / ".local/noise.txt").write_text(noise, encoding="utf-8")
    result = shop.invoke("params.push")
    assert (result.exit, result.stdout) == (1, "")
    assert re.sub(r"\d+,\d+ bytes when", "N bytes when", result.stderr) == (
        "error: params: N bytes when compressed, expected at most 4,096; the largest file is"
        f" .local/noise.txt ({len(noise.encode()):,} bytes)\n"
        "hint: put what is not secret into files/; or allow the advanced tier: params: {tier: advanced}\n"
    )
    assert shop.stored()["parameters"] == []


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        pytest.param(
            '{"format":2,"pipeline":{}}',
            "found params of format 2, expected 1",
            "a later handoff has stored them: use that one, or push again with it",
            id="of the future",
        ),
        pytest.param(
            "postgres://somebody@somewhere",
            "found no params document",
            "see who stored it: aws ssm get-parameter-history --name handoff-dev-shop__params",
            id="of somebody else",
        ),
    ],
)
@pytest.mark.parametrize("task", ["params.push", "params.pull", "params.dump"])
def test_params_that_are_not_ours_stay(shop: MotoProject, task: str, value: str, message: str, hint: str) -> None:
    _put_parameter(shop, value)
    before = shop.stored()
    expected = f"error: parameter handoff-dev-shop__params: {message}\nhint: {hint}\n"
    assert shop.invoke(task) == InvokeResult(1, "", expected)
    assert shop.stored() == before


# what AWS does not let us


def _arn(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/handoff-dev-shop/{key}"


@pytest.mark.parametrize(
    ("words", "method", "path", "where", "permission"),
    [
        pytest.param(
            ["params.dump"],
            "POST",
            "GetParameter",
            "parameter handoff-dev-shop__params",
            "ssm:GetParameter on arn:aws:ssm:eu-central-1:*:parameter/handoff-dev-shop__params",
            id="reading params",
        ),
        pytest.param(
            ["params.push"],
            "POST",
            "PutParameter",
            "parameter handoff-dev-shop__params",
            "ssm:PutParameter on arn:aws:ssm:eu-central-1:*:parameter/handoff-dev-shop__params",
            id="storing params",
        ),
        pytest.param(
            ["files.list"],
            "GET",
            "list-type",
            "s3://BUCKET/handoff-dev-shop/.env/files/",
            "s3:ListBucket on arn:aws:s3:::BUCKET",
            id="listing",
        ),
        pytest.param(
            ["files.push"],
            "PUT",
            "a.csv",
            "s3://BUCKET/handoff-dev-shop/.env/files/a.csv",
            f"s3:PutObject on {_arn('BUCKET', '.env/files/a.csv')}",
            id="uploading",
        ),
        pytest.param(
            ["state.show"],
            "GET",
            "state",
            "s3://BUCKET/handoff-dev-shop/.artifacts/state",
            f"s3:GetObject on {_arn('BUCKET', '.artifacts/state')}",
            id="reading the state",
        ),
        pytest.param(
            ["state.clear", "--yes"],
            "DELETE",
            "state",
            "s3://BUCKET/handoff-dev-shop/.artifacts/state",
            f"s3:DeleteObject on {_arn('BUCKET', '.artifacts/state')}",
            id="clearing the state",
        ),
    ],
)
def test_a_missing_permission_is_named(
    shop: MotoProject, proxy: Proxy, words: list[str], method: str, path: str, where: str, permission: str
) -> None:
    shop.put(".artifacts/state", "{}")
    proxy.fault("answer", method=method, path=path, status=403, code="AccessDenied")
    result = shop.invoke(*words, AWS_ENDPOINT_URL=proxy.url)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert (result.exit, result.stdout) == (1, "")
    owner = f", and bucket BUCKET to belong to account {ACCOUNT}" if permission.startswith("s3:") else ""
    assert errors == [f"error: {where}: AccessDenied found, the permission {permission} expected{owner}"]


def test_a_call_that_fails_for_a_moment_is_made_again(shop: MotoProject, proxy: Proxy) -> None:
    shop.put(".artifacts/state", "{}")
    proxy.fault("answer", method="GET", path="state", status=503, code="SlowDown", times=2)
    result = shop.invoke("state.show", AWS_ENDPOINT_URL=proxy.url)
    assert (result.exit, result.stdout) == (0, "{}")
    assert re.sub(r"\d\.\d s", "N s", result.stderr) == (
        "S3 GetObject: 503 SlowDown; attempt 2 of 8 in N s\n"
        "S3 GetObject: 503 SlowDown; attempt 3 of 8 in N s\n"
        "version VERSION, stored TIME\nnext: invoke state.history --project shop\n"
    )


def test_a_push_that_stops_halfway_is_taken_up(shop: MotoProject, proxy: Proxy) -> None:
    proxy.fault("answer", method="PUT", path="ü", status=403, code="AccessDenied")
    assert shop.invoke("files.push", AWS_ENDPOINT_URL=proxy.url).exit == 1
    after = "next: invoke files.list --project shop\n"
    assert shop.invoke("files.push") == InvokeResult(0, "", f"upload deep/ü b.csv (3 bytes)\n{after}")


# secrets


def test_secrets_are_seen_nowhere(shop: MotoProject) -> None:
    words = [["params.push"], ["params.dump"], ["params.diff"], ["params.history"], ["--dry", "params.push"]]
    said = [shop.raw(*each) for each in words]
    (shop.directory / ".local/tap.json").write_text(json.dumps({"token": "another-secret"}), encoding="utf-8")
    said += [shop.raw(*each) for each in words]
    assert [result for result in said if "secret" in result.stdout + result.stderr] == []
    assert {result.exit for result in said} == {0}


def test_a_project_that_is_wrong_is_told_before_aws_is_asked(shop: MotoProject) -> None:
    (shop.directory / "project.yml").write_text("commands: [{comand: cat}]\n", encoding="utf-8")
    result = shop.invoke("params.push", AWS_REGION="")
    assert (result.exit, result.stdout) == (2, "")
    assert "projects/shop/project.yml:1:" in result.stderr


# the page

PAGE = ROOT / "docs/guide/config-and-state.md"
PERMISSIONS = ROOT / "docs/reference/permissions.md"
VERSION = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
DIFFERS = (
    (VERSION.pattern, "VERSION"),
    (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\d\d:\d\d:\d\d", "CLOCK"),
    (r"\d+\.\d+", "FIGURE"),
    (r"\(\d+ bytes, plain", "(SIZE, plain"),
)


def test_the_page_shows_what_happens(checkout: Checkout, moto_bucket: MotoBucket) -> None:
    """UPDATE_GOLDENS=1 rewrites its output; only the server's address is the test's own."""
    checkout.sample("word-count")
    (ours,) = re.findall(r"^export AWS_REGION=(.*) S3_BUCKET_NAME=(.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    more = {"AWS_REGION": ours[0], "S3_BUCKET_NAME": ours[1], "AWS_ENDPOINT_URL": moto_bucket.endpoint}
    env = checkout.environment(
        {**{name: value for name, value in moto_bucket.environ.items() if name != "STACK_NAME"}, **more}
    )
    real_versions: dict[str, str] = {}

    def run(command: str, shown: str) -> str:
        typed = VERSION.sub(lambda found: real_versions[found.group()], command)
        python = ForkServer.running().python
        typed = typed.replace("uv run python", python).replace("uv run invoke", f"{python} -m invoke")
        done = subprocess.run(
            ["sh", "-c", typed],
            cwd=checkout.root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert (command, done.returncode) == (command, 0), done.stdout
        output = done.stdout.decode()
        real_versions.update(zip(VERSION.findall(shown), VERSION.findall(output), strict=not transcript.is_update()))
        for known, real in real_versions.items():
            output = output.replace(real, known)  # so that the commands of the page still name versions it shows
        return output

    transcript.follow(PAGE, run, lambda text: transcript.without(DIFFERS, text))


def test_the_page_names_every_task_and_every_permission() -> None:
    pages = PAGE.read_text("utf-8") + PERMISSIONS.read_text("utf-8")
    assert [task for task in TASKS if task != "params.make" and f"{task}" not in pages] == []
    commands = [command for command, _ in transcript.commands(PAGE) if "invoke" in command]
    assert len(commands) == 29


# escapes in what others stored


def test_a_key_of_s3_is_shown_without_escapes(shop: MotoProject) -> None:
    attack = "\x1b]52;c;cm0=\x07a\x1b[2J\rb"
    shop.put(f".env/files/{attack}", "1")
    shop.put(f".artifacts/{attack}", "1")
    listed = "PATH  BYTES  STORED\na^Mb  1  TIME\n"
    assert (shop.invoke("files.list").stdout, shop.invoke("artifacts.list").stdout) == (listed, listed)
    fetched = shop.invoke("artifacts.get", "--output", "got", "--dry")
    assert fetched.stderr.startswith("would fetch a^Mb (1 bytes) into got\n")
    pruned = shop.invoke("files.push", "--prune", "--dry").stderr
    assert "would delete s3://BUCKET/handoff-dev-shop/.env/files/a^Mb\n" in pruned


def test_a_state_is_filtered_on_a_terminal_only(shop: MotoProject) -> None:
    state = '{"a": "\x1b]0;root\x07\x1b[2Jx\x7f"}\r\n'
    shop.put(".artifacts/state", state)
    with shop.start("state.show", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.communicate()[0] == state.encode()
    shown = show(shop.checkout, "state.show", "--project", shop.name, env=shop.environ)
    assert shown.finish() == 0
    assert '{"a": "x^?"}\r\nversion' in shown.text  # the terminal puts the carriage return there
