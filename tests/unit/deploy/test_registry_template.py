"""The template of a registry stack: held against a golden and cfn-lint, and what it lets become of images."""

from __future__ import annotations

import json
from typing import Any

import pytest
from doubles.rendered_templates import ROOT, golden, lint, understood

from handoff_kit.aws.ecr import DEPLOYED, MOST_DEPLOYED
from handoff_kit.deploy import templates


def rendered(project: str = "rates", environment: str = "prod") -> str:
    return templates.render_registry_template(ROOT, project, f"handoff-{environment}-{project}", environment)


@pytest.fixture
def repository() -> dict[str, Any]:
    found: dict[str, Any] = understood(rendered())["Resources"]["Repository"]["Properties"]
    return found


def test_what_is_rendered() -> None:
    assert rendered() == golden("registry.yml", rendered())


@pytest.mark.parametrize("project", ["rates", "R" * 40])
def test_cfn_lint_finds_nothing(project: str) -> None:
    assert lint(rendered(project)) == []


def test_a_tag_means_one_image_for_ever(repository: dict[str, Any]) -> None:
    lifecycle = repository.pop("LifecyclePolicy")
    assert repository == {
        "RepositoryName": "handoff-prod-rates",
        "ImageTagMutability": "IMMUTABLE",
        "ImageScanningConfiguration": {"ScanOnPush": True},
        "EncryptionConfiguration": {"EncryptionType": "AES256"},
    }
    assert list(lifecycle) == ["LifecyclePolicyText"]


def test_what_becomes_of_old_images(repository: dict[str, Any]) -> None:
    """ECR expires no image by a rule that an earlier rule selects: User Guide, "How lifecycle policies work"."""
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"] for rule in rules] == [
        {
            "tagStatus": "tagged",
            "tagPatternList": [f"{DEPLOYED}*"],
            "countType": "imageCountMoreThan",
            "countNumber": MOST_DEPLOYED,
        },
        {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
        {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": 50},
    ]
    assert [rule["action"] for rule in rules] == [{"type": "expire"}] * 3
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3]


def test_what_is_put_out() -> None:
    outputs = understood(rendered())["Outputs"]
    assert {name: output["Value"] for name, output in outputs.items()} == {
        "Repository": {"Ref": "Repository"},
        "RepositoryUri": {"GetAtt": "Repository.RepositoryUri"},
    }
