# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204
"""Resource types of CloudFormation that LocalStack lacks, made by the APIs that it (or the proxy before moto) has.

What may be changed in place and what replaces, by AWS' own schemas of the types.
"""

import json

from botocore.exceptions import ClientError
from localstack.services.cloudformation.engine.v2 import change_set_model_executor
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceProviderExecutor,
)
from localstack.services.s3.resource_providers.aws_s3_bucket import S3BucketProvider

KEEP = ("options", "dockerLabels", "driverOpts", "labels")  # maps, whose keys are the user's


class Resource(ResourceProvider):
    """A resource by three functions; a refusal of AWS is told as CloudFormation tells it."""

    ID = ""
    CREATE_ONLY = ()
    CALL_IT = ()  # properties that name it: made up where the template does not say them

    def __init_subclass__(cls):
        pointers = [f"/properties/{name}" for name in cls.CREATE_ONLY]
        cls.SCHEMA = {"primaryIdentifier": [f"/properties/{cls.ID}"], "createOnlyProperties": pointers}

    def create(self, request):
        model = dict(request.desired_state)
        for name in self.CALL_IT:
            model.setdefault(name, self.called(request))
        return _told(lambda: {**model, **self.make(_client(self, request), model, _tags(request))})

    def update(self, request):
        model = {**request.previous_state, **request.desired_state}
        return _told(lambda: {**model, **self.change(_client(self, request), model, _tags(request))})

    def delete(self, request):
        model = {**request.desired_state, **(request.previous_state or {})}
        return _told(lambda: self.remove(_client(self, request), model) or {})

    def called(self, request):
        return generate_default_name(request.stack_name, request.logical_resource_id)


class Cluster(Resource):
    """An ECS cluster."""

    SERVICE, ID, CREATE_ONLY, CALL_IT = "ecs", "ClusterName", ("ClusterName",), ("ClusterName",)

    def make(self, ecs, model, tags):
        said = ecs.create_cluster(**_camel(_without(model, "Tags")), tags=tags)["cluster"]
        return {"Arn": said["clusterArn"]}

    def change(self, ecs, model, _tags):
        asked = {key: model[key] for key in ("ClusterSettings", "Configuration") if key in model}
        settings = {"settings": _camel(asked["ClusterSettings"])} if "ClusterSettings" in asked else {}
        ecs.update_cluster(cluster=model["ClusterName"], **settings)
        if "CapacityProviders" in model:
            Capacity().make(ecs, {"Cluster": model["ClusterName"], **model}, _tags)
        return {}

    def remove(self, ecs, model):
        ecs.delete_cluster(cluster=model["ClusterName"])


class Capacity(Resource):
    """The capacity providers of a cluster."""

    SERVICE, ID, CREATE_ONLY = "ecs", "Cluster", ("Cluster",)

    def make(self, ecs, model, _tags):
        ecs.put_cluster_capacity_providers(
            cluster=model["Cluster"],
            capacityProviders=model.get("CapacityProviders", []),
            defaultCapacityProviderStrategy=_camel(model.get("DefaultCapacityProviderStrategy", [])),
        )
        return {}

    change = make

    def remove(self, ecs, model):
        self.make(ecs, {"Cluster": model["Cluster"]}, [])


class TaskDefinition(Resource):
    """A revision of a family: every change of one makes another."""

    SERVICE, ID = "ecs", "TaskDefinitionArn"
    CREATE_ONLY = (
        *("Family", "ContainerDefinitions", "Cpu", "Memory", "ExecutionRoleArn", "TaskRoleArn", "NetworkMode"),
        *("PlacementConstraints", "ProxyConfiguration", "RequiresCompatibilities", "RuntimePlatform", "Volumes"),
        *("PidMode", "IpcMode", "EphemeralStorage", "EnableFaultInjection", "InferenceAccelerators"),
    )
    CALL_IT = ("Family",)

    def make(self, ecs, model, tags):
        asked = _camel(_without(model, "Tags", "TaskDefinitionArn"))
        said = ecs.register_task_definition(**asked, **({"tags": tags} if tags else {}))
        return {"TaskDefinitionArn": said["taskDefinition"]["taskDefinitionArn"]}

    def change(self, _ecs, _model, _tags):
        return {}

    def remove(self, ecs, model):
        ecs.deregister_task_definition(taskDefinition=model["TaskDefinitionArn"])


class Repository(Resource):
    """An ECR repository."""

    SERVICE, ID, CREATE_ONLY = "ecr", "RepositoryName", ("RepositoryName", "EncryptionConfiguration")
    CALL_IT = ("RepositoryName",)

    def make(self, ecr, model, tags):
        wanted = ("RepositoryName", "EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability")
        asked = _camel({key: model[key] for key in wanted if key in model})
        said = ecr.create_repository(**asked, tags=[{"Key": each["key"], "Value": each["value"]} for each in tags])
        self._texts(ecr, model)
        return {"Arn": said["repository"]["repositoryArn"], "RepositoryUri": said["repository"]["repositoryUri"]}

    def change(self, ecr, model, _tags):
        name = {"repositoryName": model["RepositoryName"]}
        ecr.put_image_tag_mutability(**name, imageTagMutability=model.get("ImageTagMutability", "MUTABLE"))
        scanning = _camel(model.get("ImageScanningConfiguration", {"ScanOnPush": False}))
        ecr.put_image_scanning_configuration(**name, imageScanningConfiguration=scanning)
        self._texts(ecr, model)
        return {}

    def remove(self, ecr, model):
        ecr.delete_repository(
            repositoryName=model["RepositoryName"], force=model.get("EmptyOnDelete") in (True, "true")
        )

    def called(self, request):
        return super().called(request).lower()

    def _texts(self, ecr, model):
        name = {"repositoryName": model["RepositoryName"]}
        if text := model.get("LifecyclePolicy", {}).get("LifecyclePolicyText"):
            ecr.put_lifecycle_policy(**name, lifecyclePolicyText=text)
        if policy := model.get("RepositoryPolicyText"):
            text = policy if isinstance(policy, str) else json.dumps(policy)
            ecr.set_repository_policy(**name, policyText=text)


class MetricFilter(Resource):
    """A filter of a log group that counts what matches."""

    SERVICE, ID, CREATE_ONLY = "logs", "FilterName", ("FilterName", "LogGroupName")
    CALL_IT = ("FilterName",)

    def make(self, logs, model, _tags):
        logs.put_metric_filter(
            logGroupName=model["LogGroupName"],
            filterName=model["FilterName"],
            filterPattern=model.get("FilterPattern", ""),
            metricTransformations=_camel(model["MetricTransformations"]),
        )
        return {}

    change = make

    def remove(self, logs, model):
        logs.delete_metric_filter(logGroupName=model["LogGroupName"], filterName=model["FilterName"])


class Bucket(S3BucketProvider):
    """LocalStack's, but one that is there already is not taken over, and what is in it is not deleted with it."""

    def create(self, request):
        s3, name = request.aws_client_factory.s3, request.desired_state.get("BucketName")
        if name in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            told = f"{name} already exists (Service: S3, Status Code: 409)"
            message = f'Resource handler returned message: "{told}" (HandlerErrorCode: AlreadyExists)'
            return ProgressEvent(status=OperationStatus.FAILED, resource_model={}, message=message)
        return super().create(request)

    def delete(self, request):
        model = {**request.desired_state, **(request.previous_state or {})}
        return _told(lambda: request.aws_client_factory.s3.delete_bucket(Bucket=model["BucketName"]) and {})


TYPES = {
    "AWS::S3::Bucket": Bucket,
    "AWS::ECS::Cluster": Cluster,
    "AWS::ECS::ClusterCapacityProviderAssociations": Capacity,
    "AWS::ECS::TaskDefinition": TaskDefinition,
    "AWS::ECR::Repository": Repository,
    "AWS::Logs::MetricFilter": MetricFilter,
}


def install():
    """Ours come first: LocalStack brings a repository of its own, which is none."""
    theirs = ResourceProviderExecutor.try_load_resource_provider

    def load(name):
        return TYPES[name]() if name in TYPES else theirs(name)

    ResourceProviderExecutor.try_load_resource_provider = staticmethod(load)
    # its own check before (CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES=0) knows nothing of ours
    change_set_model_executor.should_ignore_unsupported_resource_type = lambda **_: False


def _client(resource, request):
    return request.aws_client_factory.get_client(resource.SERVICE)


def _told(done):
    """A refusal in CloudFormation's words."""
    try:
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=done())
    except ClientError as error:
        service = error.operation_name
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        detail = f"{message} ({code}; {service}; Status Code: {status})"
        told = f'Resource handler returned message: "{detail}" (HandlerErrorCode: {_handler_code(code)})'
        return ProgressEvent(status=OperationStatus.FAILED, resource_model={}, message=told)


def _handler_code(code):
    if "AlreadyExists" in code:
        return "AlreadyExists"
    return "NotFound" if "NotFound" in code else "InvalidRequest"


def _tags(request):
    """The stack's tags and its own."""
    stacks = request.aws_client_factory.cloudformation.describe_stacks(StackName=request.stack_name)["Stacks"]
    given = {each["Key"]: each["Value"] for each in stacks[0].get("Tags", ())}
    given.update({each["Key"]: each["Value"] for each in request.desired_state.get("Tags", ())})
    return [{"key": key, "value": value} for key, value in given.items()]


def _without(model, *names):
    return {key: value for key, value in model.items() if key not in names}


def _camel(value, key=""):
    """Property names as the API spells them; the client has LocalStack's own conversion for the types of values."""
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict) or key in KEEP:
        return value
    return {_lower(name): _camel(each, _lower(name)) for name, each in value.items()}


def _lower(name):
    return name[:1].lower() + name[1:]
