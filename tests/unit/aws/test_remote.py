"""The small parts of the remote tasks: names, tables, asking, the editor, what a state may be."""

from __future__ import annotations

import io
import os
import pty
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit import console, resource_names, text
from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.aws import artifacts
from handoff_kit.aws.history import format_run, local_run
from handoff_kit.aws.state import State, check_state, plan_put_state
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.paths import ProjectPaths
from handoff_kit.resource_names import NamedBucket
from handoff_kit.steps import ApiCall, ApiCalls
from handoff_kit.tasks import editor
from handoff_runtime.aws.partition import Partition, partition_of
from handoff_runtime.errors import HandoffError, PipelineError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

STACK = Target("shop", "dev", "handoff-dev-shop", "bucket", "--project shop", cast("Any", None))


# names


def test_names_that_follow() -> None:
    assert resource_names.stack_name("shop", "dev") == "handoff-dev-shop"
    assert resource_names.bucket("Prod", "123456789012", "eu-central-1") == "handoff-prod-123456789012-eu-central-1"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        pytest.param("eu-central-1", Partition("aws", "amazonaws.com"), id="commercial"),
        pytest.param("xy-nowhere-1", Partition("aws", "amazonaws.com"), id="unknown to botocore"),
        pytest.param("cn-northwest-1", Partition("aws-cn", "amazonaws.com.cn"), id="china"),
        pytest.param("us-gov-east-1", Partition("aws-us-gov", "amazonaws.com"), id="government"),
        pytest.param("eusc-de-east-1", Partition("aws-eusc", "amazonaws.eu"), id="sovereign cloud of Europe"),
        pytest.param("us-iso-east-1", Partition("aws-iso", "c2s.ic.gov"), id="isolated"),
        pytest.param("us-isob-west-1", Partition("aws-iso-b", "sc2s.sgov.gov"), id="isolated b, a later region"),
        pytest.param("eu-isoe-west-1", Partition("aws-iso-e", "cloud.adc-e.uk"), id="isolated e"),
        pytest.param("us-isof-south-1", Partition("aws-iso-f", "csp.hci.ic.gov"), id="isolated f"),
    ],
)
def test_the_registry_and_the_arns_of_a_region(region: str, expected: Partition) -> None:
    assert partition_of(region) == expected
    registry = f"123456789012.dkr.ecr.{region}.{expected.domain}/shop"
    assert resource_names.repository_uri("shop", "123456789012", region) == registry


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"S3_BUCKET_NAME": "", "S3_BUCKET": ""}, None, id="empty"),
        pytest.param({"S3_BUCKET": "b-2"}, NamedBucket("b-2", "S3_BUCKET"), id="the short form"),
        pytest.param(
            {"S3_BUCKET_NAME": "b-1", "S3_BUCKET": "b-2"},
            NamedBucket("b-1", "S3_BUCKET_NAME"),
            id="the long form goes before",
        ),
    ],
)
def test_the_bucket_that_is_given(environ: dict[str, str], expected: NamedBucket | None) -> None:
    assert resource_names.bucket_from_environment(environ) == expected
    own = NamedBucket("b-3", "deploy.bucket in project.yml")
    assert resource_names.named_bucket(environ, "b-3", "project.yml") == (expected or own)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("s3://team-data/x", "for example: export S3_BUCKET=team-data", id="a URI"),
        pytest.param("Team_Data", "for example: export S3_BUCKET=team-data", id="letters"),
        pytest.param("__", "for example: export S3_BUCKET=my-bucket", id="nothing like one"),
    ],
)
def test_no_name_of_a_bucket(name: str, hint: str) -> None:
    with pytest.raises(ProjectError) as error:
        resource_names.bucket_from_environment({"S3_BUCKET": name})
    assert error.value.hint == hint


def test_errors_of_the_runtime_get_the_exit_code_of_a_task() -> None:
    for kind in (StoreError, PipelineError):
        with pytest.raises(AWSError) as error, translate_store_errors():
            raise kind("what", "hint")
        assert (error.value.exit_code, str(error.value)) == (1, "error: what\nhint: hint")


# tables


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60.0, "1 m 00 s"),
        (3599.4, "59 m 59 s"),
        (3600.0, "1 h 00 m"),
        (90061.0, "25 h 01 m"),
    ],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert text.duration(seconds) == expected


def test_moments_are_told_as_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert (text.timestamp(moment), text.timestamp(0)) == ("2026-01-02T01:04:05Z", "1970-01-01T00:00:00Z")


def test_columns_are_aligned() -> None:
    rows = [("a", "1"), ("long one", "1,000")]
    assert text.table(("NAME", "N"), rows, right=("N",)) == "NAME          N\na             1\nlong one  1,000\n"


# asking


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("YES\n", True), ("n\n", False), ("", False)])
def test_only_a_yes_goes_on(answer: str, goes_on: bool) -> None:  # noqa: FBT001  # a column of a table
    shown = io.StringIO()
    try:
        console.confirm("remove it", "invoke state.clear", yes=False, answers=Terminal(answer), stream=shown)
        went_on, refused = True, None
    except HandoffError as error:
        went_on, refused = False, (error.exit_code, error.message)
    assert (went_on, shown.getvalue()) == (goes_on, "remove it? [y/N] ")
    assert refused == (None if goes_on else (1, "not done: the answer was no"))


def test_what_was_typed_before_a_question_does_not_answer_it() -> None:
    terminal, keyboard = pty.openpty()[::-1]

    class Asked(io.StringIO):
        def flush(self) -> None:
            os.write(keyboard, b"n\n")

    os.write(keyboard, b"y\n")
    with os.fdopen(terminal, encoding="utf-8") as answers, pytest.raises(HandoffError, match="the answer was no"):
        console.confirm("remove it", "invoke state.clear", yes=False, answers=answers, stream=Asked())
    os.close(keyboard)


def test_nobody_is_asked_without_a_terminal() -> None:
    console.confirm("remove it", "invoke state.clear", yes=True, answers=io.StringIO())
    with pytest.raises(ProjectError) as error:
        console.confirm("remove it", "invoke state.clear", yes=False, answers=io.StringIO("y\n"))
    assert error.value.hint == "invoke state.clear --yes"


# the editor


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("stop\n", "stop", id="its name"),
        pytest.param("W\n", "wait", id="its first letter"),
        pytest.param("\n", "leave", id="nothing"),
        pytest.param("y\n", "leave", id="none of them"),
    ],
)
def test_one_of_several_answers(answer: str, expected: str) -> None:
    shown = io.StringIO()
    choices = ("wait", "stop", "leave")
    assert console.choose("wait for it or stop it", choices, answers=Terminal(answer), stream=shown) == expected
    assert shown.getvalue() == "wait for it or stop it? [wait/stop/LEAVE] "


def test_a_draft_is_ours_alone_and_stays_until_done(tmp_path: Path) -> None:
    script = tmp_path / "ed.py"
    script.write_text("import sys; open(sys.argv[-1], 'a').write('more')\n", encoding="utf-8")
    asked = editor.Edit(tmp_path, "", tmp_path / "build/state.edited", "invoke state.edit")
    environ = {"VISUAL": f"'{sys.executable}' {script} --wait", "EDITOR": "false"}
    for _ in range(2):
        assert editor.read_new_text(asked, b"some ", environ) == b"some more"
    assert asked.draft.stat().st_mode & 0o777 == 0o600
    assert asked.retry_command == "invoke state.edit --file build/state.edited"
    editor.delete_draft(asked)
    assert not asked.draft.exists()


def test_a_named_file_is_read_and_left(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    asked = editor.Edit(tmp_path, "mine", tmp_path / "draft", "invoke state.edit")
    assert editor.read_new_text(asked, b"", {}) == b"x"
    editor.delete_draft(asked)
    assert (tmp_path / "mine").exists()


# states


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        pytest.param(b'{"a": 1}', "singer", id="an object"),
        pytest.param(b"{}\n", "singer", id="an empty object"),
        pytest.param(b"any\x00thing", "all", id="any bytes"),
    ],
)
def test_what_a_state_may_be(text: bytes, mode: str) -> None:
    check_state(text, mode, "f", "again")


@pytest.mark.parametrize(
    ("text", "mode", "message", "hint"),
    [
        pytest.param(
            b" \n", "all", "f: found nothing, expected a state", "to delete the state: invoke state.clear", id="nothing"
        ),
        pytest.param(
            b"[1]",
            "singer",
            "f: found JSON of another kind (list), expected a JSON object (state: singer)",
            "correct it, then: again",
            id="a list",
        ),
        pytest.param(
            b"\xff",
            "singer",
            "f: found no JSON ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte),"
            " expected a JSON object (state: singer)",
            "correct it, then: again",
            id="no text",
        ),
    ],
)
def test_what_a_state_may_not_be(text: bytes, mode: str, message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as error:
        check_state(text, mode, "f", "again")
    assert (error.value.message, error.value.hint) == (message, hint)


def test_a_state_replaces_only_the_one_that_was_seen() -> None:
    seen = State(b"old", '"etag"', "v1", "2026-01-01T00:00:00Z")
    assert plan_put_state(STACK, b"old", seen, "store") == ()
    (over,) = plan_put_state(STACK, b"new", seen, "store")
    (first,) = plan_put_state(STACK, b"new", None, "store")
    conditions = [{name: each.request.get(name) for name in ("IfMatch", "IfNoneMatch")} for each in (over, first)]
    assert conditions == [{"IfMatch": '"etag"', "IfNoneMatch": None}, {"IfMatch": None, "IfNoneMatch": "*"}]
    assert (over.race is not None, over.description) == (True, "store (3 bytes)")


def test_changes_are_only_said_when_dry() -> None:
    said: list[str] = []
    calls = ApiCalls((ApiCall("do it", "s3", "put_object", {}),))
    assert apply((calls,), STACK, ApplyOptions(said.append, dry=True)) == 1
    assert said == ["would do it"]


# runs


@pytest.mark.parametrize("name", ["a/b", "..", ".", "a\nb"])
def test_what_is_no_run(name: str) -> None:
    with pytest.raises(ProjectError):
        artifacts.check_run_id(name)


def test_a_run_that_did_not_start_is_shown(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    kept = paths.directory / ".artifacts"
    kept.mkdir(parents=True)
    (kept / "run.json").write_text(
        '{"run_id": "R1", "project": "shop", "environment": "dev", "trigger": "local", "attempt": 1,'
        ' "started_at": "2026-01-01T00:00:00.000Z", "outcome": "failed", "exit": 127, "reason": "no such command",'
        ' "seconds": 0.1, "stages": [{"name": "nope", "argv": ["nope"]}], "command": "run", "ended_at": null,'
        ' "culprit": "nope", "params_version": null, "image_digest": null,'
        ' "state": {"before": null, "after": null, "replaced": false}}'
    )
    assert format_run(local_run(paths, "R1"), 5) == (
        "run       R1\n"
        "project   shop (dev)\n"
        "started   2026-01-01T00:00:00.000Z, by local, attempt 1\n"
        "outcome   failed, exit 127: no such command\n"
        "duration  0.1 s\n"
        "state     none\n"
        "\n"
        "STAGE  ENDED        SECONDS  CPU S  MEMORY MB  ROWS IN  ROWS OUT  BYTES OUT\n"
        "nope   not started        -      -          -        -         -          -\n"
    )
