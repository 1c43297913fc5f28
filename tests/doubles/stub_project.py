"""A project in a checkout with stub stacks in moto or LocalStack: they have what a task reads of a stack, and no more.

deployed_project.py has a project that `invoke deploy` has really deployed.
"""

from __future__ import annotations

import json
import random
import re
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from doubles.checkout import InvokeResult
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import MotoBucket
from doubles.terminal import show
from handoff_kit import resource_names

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from doubles.checkout import Checkout
    from doubles.localstack import AwsAccount
    from doubles.terminal import Shown

AWS = TypeVar("AWS", bound="MotoBucket | AwsAccount")

ACCOUNT = "123456789012"  # of everybody in moto
SECRET = "hunter2-secret"  # noqa: S105  # to be found in no output
PROJECT = """
    state: singer
    vars: {base: EUR}
    commands:
      - command: echo
        args: "{{ base }}"
      - command: cat
"""
CONFIG = {".local/tap.json": json.dumps({"token": SECRET, "user": "ann"}), ".local/note.txt": "plain words\n"}
FILES = {"files/a.csv": "1\n", "files/deep/ü b.csv": "22\n"}
TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}


@dataclass
class StubProject(Generic[AWS]):
    """`env` is added to the environment of `invoke`; `replacements` are patterns of what differs from run to run.

    Without a name, `invoke` gets no `--project`.
    """

    checkout: Checkout
    aws: AWS
    name: str
    env: dict[str, str] = field(default_factory=dict)
    replacements: Sequence[tuple[str, str]] = ()
    environment: str = "dev"

    @property
    def directory(self) -> Path:
        return self.checkout.root / "projects" / self.name

    @property
    def stack(self) -> str:
        return resource_names.stack_name(self.name, self.environment)

    @property
    def environ(self) -> dict[str, str]:
        """For `invoke`, which is to derive the name of the stack."""
        kept = {name: value for name, value in self.aws.environ.items() if name != "STACK_NAME"}
        environment = {} if self.environment == "dev" else {"HANDOFF_ENVIRONMENT": self.environment}
        return {**kept, **environment, **self.env}

    def invoke(self, *words: str, project: str | None = None, **env: str) -> InvokeResult:
        """Run a task; its output, stable from run to run."""
        result = self.raw(*words, project=project, **env)
        return InvokeResult(result.exit, self.stable(result.stdout), self.stable(result.stderr))

    def raw(self, *words: str, project: str | None = None, **env: str) -> InvokeResult:
        """Run a task; its output as it is printed."""
        return self.checkout.invoke(*words, *self._options(project), env={**self.environ, **env})

    def start(self, *words: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a task."""
        return self.checkout.start(*words, *self._options(), env=self.environ, **popen)

    def show(self, *words: str) -> Shown:
        """Start a task on a terminal."""
        return show(self.checkout, *words, *self._options(), env=self.environ)

    def _options(self, project: str | None = None) -> tuple[str, ...]:
        name = self.name if project is None else project
        return ("--project", name) if name else ()

    def stable(self, text: str) -> str:
        """A text with the same project name in every run, and what else the replacements say."""
        text = text.replace(self.name, "shop") if self.name else text
        for pattern, replacement in self.replacements:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        return text if self.environment == "dev" else text.replace(self.environment, "ENV")

    # stacks

    def create_stack(
        self,
        name: str,
        outputs: Mapping[str, str] | None = None,
        *,
        resources: Mapping[str, Any] | None = None,
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """A stack of an SNS topic, or of these resources."""
        template = {
            "Parameters": {key: {"Type": "String"} for key in parameters or ()},
            "Resources": resources or TOPIC,
            "Outputs": {key: {"Value": value} for key, value in (outputs or {}).items()},
        }
        self.aws.boto("cloudformation").create_stack(
            StackName=name,
            TemplateBody=json.dumps({section: entries for section, entries in template.items() if entries}),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        )

    def stack_names(self) -> list[str]:
        """Of all stacks of the account."""
        pages = self.aws.boto("cloudformation").get_paginator("describe_stacks").paginate()
        return [stack["StackName"] for page in pages for stack in page["Stacks"]]

    # what is stored in moto

    def put(self: StubProject[MotoBucket], key: str, content: str) -> None:
        """Store an object below the project's prefix."""
        self.aws.put(f"{self.stack}/{key}", content.encode())

    def keys(self: StubProject[MotoBucket]) -> list[str]:
        """All keys, of the project's without its prefix."""
        return [key.removeprefix(f"{self.stack}/") for key in sorted(self.aws.keys())]

    def stored(self: StubProject[MotoBucket]) -> dict[str, Any]:
        """All versions in the bucket, and the versions of the project's parameter."""
        listed = self.aws.boto("s3").list_object_versions(Bucket=self.aws.bucket)
        both = [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]
        objects = {(version["Key"], version["VersionId"]): version.get("ETag") for version in both}
        ssm = self.aws.boto("ssm")
        parameters = ssm.get_parameters(Names=[f"{self.stack}__params"], WithDecryption=True)["Parameters"]
        return {"objects": objects, "parameters": [(each["Version"], each["Value"]) for each in parameters]}


MotoProject = StubProject[MotoBucket]


def new_name(prefix: str = "shop-") -> str:
    """A name that no test has used: stacks and parameters of moto are everybody's, and stay."""
    return prefix + "".join(random.choices(string.ascii_lowercase, k=8))


@pytest.fixture
def shop(checkout: Checkout, moto_bucket: MotoBucket) -> Iterator[MotoProject]:
    """A project with config and files, of which nothing is stored; calls of S3 that expect no owner are refused."""
    name = new_name()
    checkout.project(name, PROJECT, {**CONFIG, **FILES})
    replacements = (
        (re.escape(moto_bucket.bucket), "BUCKET"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "VERSION"),
        (r"(?<=\S) {2,}", "  "),
    )
    with Proxy.to(moto_bucket.endpoint, ACCOUNT) as proxy:
        yield MotoProject(checkout, moto_bucket, name, {"AWS_ENDPOINT_URL": proxy.url}, replacements)
