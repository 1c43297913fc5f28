"""A change that failed, as one sentence with what to do."""

from __future__ import annotations

import pytest

from handoff_kit.aws.cloudformation.events import OperationResult, StackEvent
from handoff_kit.aws.cloudformation.failure import hint_for, operation_error

AGAIN = "invoke deploy --project shop"
STACK = "AWS::CloudFormation::Stack"


def of_stack(status: str, reason: str = "") -> StackEvent:
    return StackEvent(status, "x", STACK, status, reason, of_stack=True)


def of(name: str, status: str, reason: str = "", physical: str = "") -> StackEvent:
    return StackEvent(f"{name}{status}", name, f"AWS::X::{name}", status, reason, physical=physical)


CANCELLED = "Resource creation cancelled"
ROLLED_BACK = (
    of_stack("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [A]."),
    of_stack("ROLLBACK_COMPLETE"),
)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [
                of("B", "CREATE_FAILED", CANCELLED),
                of("A", "CREATE_FAILED", "no (Service: Ecs, Status Code: 400, Request ID: 1)"),
                *ROLLED_BACK,
            ],
            "stack x: AWS::X::A A could not be created: no; what had been created was deleted again",
            id="the first that was not cancelled",
        ),
        pytest.param(
            [
                of("A", "UPDATE_FAILED", "no."),
                of_stack("UPDATE_ROLLBACK_IN_PROGRESS", "failed"),
                of_stack("UPDATE_ROLLBACK_COMPLETE"),
            ],
            "stack x: AWS::X::A A could not be updated: no; the stack was rolled back",
            id="as it was",
        ),
        pytest.param(
            [
                of("A", "UPDATE_FAILED", "no"),
                of_stack("UPDATE_ROLLBACK_IN_PROGRESS", "failed"),
                of("B", "UPDATE_FAILED", "gone"),
                of_stack("UPDATE_ROLLBACK_FAILED", "failed too"),
            ],
            "stack x: AWS::X::A A could not be updated: no; the rollback failed too: AWS::X::B B: gone",
            id="and to undo it failed",
        ),
        pytest.param(
            [
                of("A", "DELETE_FAILED", "in use"),
                of_stack("DELETE_FAILED", "The following resource(s) failed to delete: [A]."),
            ],
            "stack x: AWS::X::A A could not be deleted: in use; the stack remains, with what was not deleted",
            id="not removed",
        ),
        pytest.param(
            [of_stack("CREATE_FAILED", "a hook said no"), of_stack("ROLLBACK_COMPLETE")],
            "stack x: it could not be created: a hook said no; what had been created was deleted again",
            id="the stack itself",
        ),
        pytest.param(
            [of_stack("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"), of_stack("UPDATE_ROLLBACK_COMPLETE")],
            "stack x: it could not be updated: User Initiated; the stack was rolled back",
            id="cancelled by somebody",
        ),
        pytest.param(
            [of("A", "CREATE_FAILED"), *ROLLED_BACK],
            "stack x: AWS::X::A A could not be created: no reason given; what had been created was deleted again",
            id="no reason",
        ),
        pytest.param(
            [of_stack("ROLLBACK_COMPLETE")],
            "stack x: rollback complete; what had been created was deleted again",
            id="nothing told",
        ),
    ],
)
def test_one_sentence(events: list[StackEvent], expected: str) -> None:
    error = operation_error("x", OperationResult(events[-1].status, tuple(events), 1.0), AGAIN)
    assert (error.message, error.exit_code) == (expected, 1)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param(
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/x because no identity-based policy allows it",
            "allow iam:PassRole on arn:aws:iam::1:role/x to the identity that deploys",
            id="a permission",
        ),
        pytest.param(
            "You are not authorized to perform: ec2:CreateVpc.",
            "allow ec2:CreateVpc to the identity that deploys",
            id="a permission on all",
        ),
        pytest.param(
            "/handoff/shop already exists in stack arn:aws:cloudformation:eu-central-1:1:stack/old/1",
            "it belongs to arn:aws:cloudformation:eu-central-1:1:stack/old/1: delete it there, or choose another name",
            id="of another stack",
        ),
        pytest.param(
            "handoff-dev-1 already exists (Service: S3)",
            "a resource of that name exists outside of this stack: delete it, or choose another name; "
            "to find its stack: aws cloudformation describe-stack-resources --physical-resource-id handoff-dev-1",
            id="there already",
        ),
        pytest.param(
            "The maximum number of VPCs has been reached.",
            "raise the account's limit (aws service-quotas list-service-quotas), or delete what is not used",
            id="a limit",
        ),
        pytest.param(
            "Invalid 'cpu' setting for task", "correct the value in project.yml or in templates/", id="a value"
        ),
        pytest.param("The bucket you tried to delete is not empty", "empty it, or take it out of use", id="in use"),
        pytest.param(
            "Stack [x] cannot be deleted while TerminationProtection is enabled",
            "aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name x",
            id="protected",
        ),
        pytest.param(
            'Resource handler returned message: "Invalid request provided: CreateCluster Invalid Request: Unable to '
            "assume the service linked role. Please verify that the ECS service linked role exists. (Service: "
            'AmazonECS; Status Code: 400; Error Code: InvalidParameterException; Request ID: 2; Proxy: null)" '
            "(RequestToken: 7, HandlerErrorCode: InvalidRequest)",
            "ECS needs its own role in this account, and a minute after that: "
            "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
            id="the first cluster of an account",
        ),
        pytest.param(
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecs:CreateCluster on resource: "
            "arn:aws:ecs:eu-central-1:1:cluster/x with an explicit deny in a service control policy: "
            "arn:aws:organizations::2:policy/o-1/service_control_policy/p-1 (Service: Ecs, Status Code: 400)",
            "a policy of the organization does not allow it, which only its administrators change; if it demands tags: "
            "deploy.tags, and deploy --shared-tag",
            id="an SCP",
        ),
        pytest.param(
            "API: iam:CreateRole User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: iam:CreateRole on "
            "resource: arn:aws:iam::1:role/x with an explicit deny",
            "a statement denies it, which no other one outweighs: remove that statement; if roles here need a "
            "permissions boundary: deploy.permissions_boundary",
            id="a role without a boundary",
        ),
        pytest.param(
            "User: arn:aws:iam::1:user/x is not authorized to perform: logs:CreateLogGroup on resource: "
            "arn:aws:logs:eu-central-1:1:log-group:x because no permissions boundary allows the logs:CreateLogGroup action",
            "the permissions boundary of that role or user does not allow it: have it extended by who set it",
            id="outside the boundary",
        ),
        pytest.param(
            "API: s3:CreateBucket Access Denied",
            "allow s3:CreateBucket to the identity that deploys",
            id="a permission in the old words",
        ),
        pytest.param(
            'Resource handler returned message: "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: '
            "kms:GenerateDataKey on resource: arn:aws:kms:eu-central-1:1:key/k because no resource-based policy allows "
            'the kms:GenerateDataKey action" (HandlerErrorCode: AccessDenied)',
            "allow kms:GenerateDataKey on arn:aws:kms:eu-central-1:1:key/k to the identity that deploys",
            id="a key",
        ),
        pytest.param(
            'Resource handler returned message: "Rate exceeded (Service: Ecr, Status Code: 400, Request ID: 1)" '
            "(RequestToken: 7, HandlerErrorCode: InvalidRequest)",
            "wait a minute: it was throttled",
            id="throttled tagging",
        ),
        pytest.param("Request limit exceeded.", "wait a minute: it was throttled", id="throttled EC2"),
        pytest.param(
            "State Machine is being deleted: 'arn:aws:states:eu-central-1:1:stateMachine:x' (Service: AWSStepFunctions; "
            "Status Code: 400; Error Code: StateMachineDeleting)",
            "it is gone when its executions have ended; to stop them: aws stepfunctions list-executions --status-filter "
            "RUNNING --state-machine-arn ARN, and aws stepfunctions stop-execution --execution-arn ARN for each",
            id="a machine that is being deleted",
        ),
        pytest.param(
            "'arn:aws:iam::1:role/x' is not authorized to create managed-rule. (Service: AWSStepFunctions; Status Code: "
            "400; Error Code: AccessDeniedException)",
            "wait a minute for the new role; if it fails again, its permissions boundary must allow events:PutRule, "
            "events:PutTargets and events:DescribeRule",
            id="a rule of Step Functions",
        ),
        pytest.param(
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the "
            "provided role. (Service: AWSStepFunctions; Status Code: 400; Error Code: AccessDeniedException)",
            "wait a minute: a new role is not known everywhere at once",
            id="a role that is new to Step Functions",
        ),
        pytest.param(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role. (Service: Scheduler, "
            "Status Code: 400)",
            "wait a minute: a new role is not known everywhere at once",
            id="a role that is new to Scheduler",
        ),
        pytest.param(
            "You must wait 60 seconds after deleting a queue before you can create another with the same name. (Service: "
            "AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.QueueDeletedRecently)",
            "wait a minute after the deletion of that queue",
            id="a queue that was deleted",
        ),
        pytest.param(
            "A conflicting conditional operation is currently in progress against this resource. Please try again.",
            "wait a minute: another operation on it is in progress",
            id="a bucket that is being deleted",
        ),
        pytest.param(
            "Internal Failure",
            "see all events: aws cloudformation describe-stack-events --stack-name x",
            id="anything else",
        ),
    ],
)
def test_advice(reason: str, expected: str) -> None:
    culprit = of("A", "CREATE_FAILED", reason, "handoff-dev-1")
    assert hint_for(reason, "x", AGAIN, culprit) == f"{expected}; then: {AGAIN}"
