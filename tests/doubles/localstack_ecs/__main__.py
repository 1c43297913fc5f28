# mypy: ignore-errors
"""LocalStack with ECS and ECR: started as `python tests/doubles/localstack_ecs`, by the Python that has LocalStack.

What the community edition has not, or has unlike AWS, and what is done about it here:

- the APIs of ECS and ECR (absent): passed on to the proxy before moto at HANDOFF_FRONT (gateway.py);
- AWS::ECS::Cluster, ::ClusterCapacityProviderAssociations, ::TaskDefinition (absent), AWS::ECR::Repository (a stub
  without a repository), AWS::Logs::MetricFilter (absent): real, with Ref, GetAtt, update and delete (resources.py);
- a stack that fails is not rolled back, nor is one whose resources stay called DELETE_FAILED: it is here (stacks.py);
- a bucket that is there is taken over, one that is not empty is deleted with its stack: here both are refused
  (resources.py);
- of several change sets of a stack all are executed, at once: here the first one is (stacks.py);
- tags of a stack reach no resource; those named above take them, the others do not;
- `ecs:runTask.sync` ends well whatever the task's exit code, knows neither RunTask's `failures` nor errors by name,
  and leaves the task running when the execution is stopped: all as on AWS (machines.py). It looks for the end of a
  task twice a second; AWS is told of it by an event, within seconds. A Wait takes a 200th of its seconds.
- a rule starts no execution unless its input has the `id` of an event: any input does (machines.py).

The other types of our templates are LocalStack's own, and real: AWS::EC2::{VPC, Subnet, InternetGateway,
VPCGatewayAttachment, RouteTable, Route, SubnetRouteTableAssociation, SecurityGroup, VPCEndpoint}, AWS::S3::{Bucket,
BucketPolicy}, AWS::SNS::{Topic, TopicPolicy, Subscription}, AWS::SQS::{Queue, QueuePolicy}, AWS::Logs::LogGroup,
AWS::IAM::Role (nobody's permissions are looked at), AWS::CloudWatch::Alarm,
AWS::Events::{Rule, Connection, ApiDestination} (never updated), AWS::StepFunctions::StateMachine, AWS::Scheduler::{Schedule, ScheduleGroup} (kept, validated, and never fired). A type that is in neither list fails the
stack.
"""

import gateway
import machines
import resources
import stacks
from localstack.runtime.main import main

if __name__ == "__main__":
    for part in (gateway, machines, resources, stacks):
        part.install()
    main()
