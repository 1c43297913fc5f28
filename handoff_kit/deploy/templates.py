"""The CloudFormation templates: the files of templates/, rendered from project files.

The same files give the same text, byte for byte: it depends on no machine, account or time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.ecr import DEPLOYED, MOST_DEPLOYED
from handoff_kit.aws.ecs.stop_reasons import RESTARTED_STOP_CODES
from handoff_kit.deploy.alert_template import alert_values, message_text
from handoff_kit.jinja import render_template
from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.model import Project
from handoff_kit.project.retention import LIFECYCLE_RULES
from handoff_kit.text import span
from handoff_runtime import s3_keys
from handoff_runtime.alert import compose_subject
from handoff_runtime.aws.references import Reference
from handoff_runtime.aws.session import SSM
from handoff_runtime.retention import TAG_KEYS

FREE_STORAGE = 20  # GiB; a task definition names only a larger one
_PSEUDO_PARAMETER = re.compile(r"\$\{AWS::(?:AccountId|Partition|Region)\}")
_IAM_VARIABLE = re.compile(r"\$\{(?!AWS::(?:AccountId|Partition|Region)\})")


def render_shared_template(root: Path, environment: str) -> str:
    """The template of the shared stack of an environment; no project is a part of it."""
    values = {
        "environment": environment,
        "name": resource_names.shared_stack(environment),
        "cluster": resource_names.cluster(environment),
        "topic": resource_names.topic(environment),
        "bucket": f"handoff-{environment.lower()}-${{AWS::AccountId}}-${{AWS::Region}}",  # for Fn::Sub
        "mark": resource_names.BUCKET_MARK,
        "templates": f"{resource_names.TEMPLATES}/",
        "rules": LIFECYCLE_RULES,
    }
    return render_template(root, "shared.yml.j2", values)


def render_registry_template(root: Path, project: str, stack: str, environment: str) -> str:
    """The template of the stack that holds a project's images."""
    values = {
        "project": project,
        "environment": environment,
        "repository": resource_names.repository(stack),
        "deployed": DEPLOYED,
        "most_deployed": MOST_DEPLOYED,
    }
    return render_template(root, "registry.yml.j2", values)


def render_task_template(
    root: Path, project: str, loaded: Project, stack: str, environment: str, *, references: Iterable[Reference] = ()
) -> str:
    """The template of a project's task stack, whose role may read the references of config."""
    deploy, runs = loaded.deploy, s3_keys.run(stack, "").removesuffix("/")
    values = {
        **_network_values(deploy, environment),
        **alert_values(project, loaded, stack, environment),
        "stack": stack,
        "machine": resource_names.state_machine(stack),
        "restarted": RESTARTED_STOP_CODES,
        "owner_tags": resource_names.owner_tags(project, environment),
        "family": resource_names.family(stack),
        "container": resource_names.CONTAINER,
        "repository": resource_names.repository(stack),
        "log_group": resource_names.log_group(stack),
        "log_prefix": resource_names.log_prefix(),
        "role_path": resource_names.role_path(stack),
        "parameter": s3_keys.parameter(stack),
        "project": project,
        "environment": environment,
        "deploy": deploy,
        "storage": deploy.storage if deploy.storage > FREE_STORAGE else None,
        # the keys that a run may write; the files of a project are only read by it
        "written": (
            s3_keys.lease(stack),
            *(
                f"{keys}*"
                for keys in (s3_keys.artifacts(stack), runs, s3_keys.history(stack), s3_keys.occurrences(stack))
            ),
            s3_keys.alert(stack, "*"),
            s3_keys.expectation(stack, "*"),
        ),
        "boundary": boundary_arn(deploy),
        "kms_key": kms_key_arn(deploy),
        "tag_keys": TAG_KEYS,
        "references": _referenced_resources(references),
        "arns": [policy for policy in deploy.policies if isinstance(policy, str)],
        "statements": [_statement(policy) for policy in deploy.policies if not isinstance(policy, str)],
        "expect": _expect_values(project, environment, stack, loaded.expect.success_within),
    }
    return render_template(root, "task.yml.j2", values)


def _expect_values(project: str, environment: str, stack: str, success_within: int | None) -> dict[str, Any] | None:
    """The check that a run has succeeded in time; None where the project does not expect one.

    `text` is what comes before and after the time; `unread_text` before and after the key where that is not known.
    """
    if not success_within:
        return None
    within, look = span(success_within), ("status", "history --remote")
    late = f"No run has succeeded within {within}: the next one was expected by {{}}"
    unread = "By when a run must have succeeded could not be read from the bucket: {}"
    return {
        "machine": resource_names.expect_machine(stack),
        "key": s3_keys.expectation(stack),
        "span": within,
        "subject": compose_subject(environment, project, f"no run has succeeded within {within}"),
        "text": message_text(project, environment, {}, look, sentence=late, when="now").split("{}"),
        "unread_subject": compose_subject(environment, project, f"unknown whether a run has succeeded within {within}"),
        "unread_text": message_text(project, environment, {}, look, sentence=unread, when="now").split("{}"),
    }


def boundary_arn(deploy: Deploy) -> str:
    """The ARN of the roles' permissions boundary, for Fn::Sub; empty where there is none."""
    name, account = deploy.permissions_boundary or "", "${AWS::AccountId}"
    return name if not name or name.startswith("arn:") else f"arn:${{AWS::Partition}}:iam::{account}:policy/{name}"


def kms_key_arn(deploy: Deploy) -> str:
    """The ARN of the project's own KMS key, for Fn::Sub; empty where it has none."""
    key, place = deploy.kms_key or "", "${AWS::Region}:${AWS::AccountId}"
    return key if not key or key.startswith("arn:") else f"arn:${{AWS::Partition}}:kms:{place}:key/{key}"


def _network_values(deploy: Deploy, environment: str) -> dict[str, Any]:
    """Where tasks run, as values of the template, and the settings that its outputs hold for `invoke run`."""
    cluster = deploy.cluster or resource_names.cluster(environment)
    arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:ecs:${{AWS::Region}}:${{AWS::AccountId}}:cluster/{cluster}"}
    own_group = deploy.vpc is not None and not deploy.security_groups
    shared_group = not deploy.security_groups and not own_group
    own_groups = {"Fn::GetAtt": ["SecurityGroup", "GroupId"]} if own_group else ",".join(deploy.security_groups)
    return {
        "cluster": cluster if cluster.startswith("arn:") else arn,
        "cluster_name": cluster.rpartition("/")[2],
        "subnets": ",".join(deploy.subnets) or {"Ref": "Subnets"},
        "security_groups": {"Ref": "SecurityGroups"} if shared_group else own_groups,
        "shared_subnets": not deploy.subnets,
        "shared_group": shared_group,
        "own_group": own_group,
        "settings": {
            "PublicIp": ("Whether tasks have a public address", "ENABLED" if deploy.public_ip else "DISABLED"),
            "Spot": ("Whether tasks run on Fargate Spot", str(deploy.spot).lower()),
            "Exec": ("Whether `invoke exec` may open a shell in a task", str(deploy.exec).lower()),
            "Cpu": ("The CPU units of a task", deploy.cpu),
            "Memory": ("The memory of a task in MiB", deploy.memory),
            "StopTimeout": ("Seconds between the stop signal of a task and its kill", deploy.stop_timeout),
            **({"KmsKey": ("The KMS key of params and log", deploy.kms_key)} if deploy.kms_key else {}),
        },
    }


def _referenced_resources(references: Iterable[Reference]) -> list[tuple[str, str, list[str]]]:
    """A statement each for parameters and secrets: its Sid, action, and ARNs for Fn::Sub.

    Secrets Manager appends six characters to the name of a secret, and takes an ARN with or without them. Permissions
    on a parameter are those on all of its versions.
    """
    parameters, secrets, place = dict[str, None](), dict[str, None](), "${AWS::Region}:${AWS::AccountId}"
    for service, name, _ in sorted(references):
        if service == SSM:
            parameters[f"arn:${{AWS::Partition}}:ssm:{place}:parameter{name.partition(':')[0]}"] = None
        elif name.startswith("arn:"):
            secrets |= dict.fromkeys((name, f"{name}-??????"))
        else:
            secrets[f"arn:${{AWS::Partition}}:secretsmanager:{place}:secret:{name}-??????"] = None
    statements = (
        ("Parameters", "ssm:GetParameters", list(parameters)),
        ("Secrets", "secretsmanager:GetSecretValue", list(secrets)),
    )
    return [statement for statement in statements if statement[2]]


def ungranted_references(template: str, references: Iterable[Reference]) -> list[Reference]:
    """The references that the role of a rendered task template may not read."""

    def is_granted(reference: Reference) -> bool:
        return all(f'{arn}"' in template for _, _, arns in _referenced_resources([reference]) for arn in arns)

    return [reference for reference in sorted(references) if not is_granted(reference)]


def _statement(policy: Statement) -> dict[str, Any]:
    """A statement of `deploy.policies` as CloudFormation takes it."""
    conditions = {
        operator: {key: _as_substitutions(values) for key, values in pairs.items()}
        for operator, pairs in policy.Condition.items()
    }
    statement: dict[str, Any] = {"Sid": policy.Sid, "Effect": policy.Effect, "Action": list(policy.Action)}
    statement |= {"Resource": _as_substitutions(policy.Resource), "Condition": conditions}
    return {key: value for key, value in statement.items() if value}


def _as_substitutions(values: Iterable[str]) -> list[str | dict[str, str]]:
    """CloudFormation's pseudo parameters become Fn::Sub; IAM's own variables, as ${aws:username}, are left to IAM."""
    return [{"Fn::Sub": _IAM_VARIABLE.sub("${!", text)} if _PSEUDO_PARAMETER.search(text) else text for text in values]
