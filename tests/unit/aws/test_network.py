"""The network of tasks, judged by what EC2 describes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.aws.cloudformation.stack_resources import StackResource
from handoff_kit.aws.network import Network, find_network_resources, judge_group, judge_subnet

if TYPE_CHECKING:
    from handoff_kit.aws.reader import Reader

LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
TO_S3 = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-s3", "State": "active"}
GONE = "blackhole"


def table(*routes: dict[str, str], subnet: str = "subnet-1", main: bool = False) -> dict[str, Any]:
    association = {"RouteTableAssociationId": "rtbassoc-1", "Main": main, **({} if main else {"SubnetId": subnet})}
    return {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [LOCAL, *routes], "Associations": [association]}


def endpoints(*services: str) -> list[dict[str, str]]:
    found = []
    for service in services:
        kind = "Gateway" if service == "s3" else "Interface"
        name = f"com.amazonaws.eu-central-1.{service}"
        found.append(
            {"VpcEndpointId": f"vpce-{service}", "VpcEndpointType": kind, "ServiceName": name, "VpcId": "vpc-1"}
        )
    return found


ALL = endpoints("ecr.api", "ecr.dkr", "s3", "logs", "ssm")


@pytest.mark.parametrize(
    ("tables", "public_ip", "found", "expected"),
    [
        pytest.param([table(INTERNET)], True, [], "", id="internet gateway"),
        pytest.param([table(NAT)], True, [], "", id="NAT gateway, with public addresses"),
        pytest.param([table(NAT)], False, [], "", id="NAT gateway"),
        pytest.param([table(INTERNET, main=True)], True, [], "", id="the main route table"),
        pytest.param([table(main=True), table(INTERNET)], True, [], "", id="its own table before the main one"),
        pytest.param(
            [table(INTERNET)],
            False,
            [],
            "its route leads to an internet gateway, and tasks have no public address (public_ip)",
            id="internet gateway, no public address",
        ),
        pytest.param([table()], True, [], "has no route to the internet", id="no route"),
        pytest.param(
            [table({**INTERNET, "State": GONE})],
            True,
            [],
            "its route to the internet leads to igw-1, which is gone",
            id="a route to nowhere",
        ),
        pytest.param([table(TO_S3)], False, ALL, "", id="endpoints"),
        pytest.param(
            [table()],
            False,
            ALL,
            "has no route to the internet, nor endpoints for s3",
            id="an endpoint of S3 that its route table does not have",
        ),
        pytest.param(
            [table(TO_S3)],
            False,
            endpoints("ecr.dkr", "s3", "logs"),
            "has no route to the internet, nor endpoints for ecr.api, ssm",
            id="endpoints that are missing",
        ),
    ],
)
def test_a_subnet_needs_a_way_to_aws(
    *, tables: list[dict[str, Any]], public_ip: bool, found: list[dict[str, str]], expected: str
) -> None:
    network = Network({"subnet-1": "vpc-1"}, tables, endpoints=found)
    assert judge_subnet(network, "subnet-1", public_ip=public_ip) == expected


def test_a_subnet_that_is_gone() -> None:
    assert judge_subnet(Network({}), "subnet-1", public_ip=True) == "not found"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([{"IpProtocol": "-1"}], "", id="everything"),
        pytest.param([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}], "", id="HTTPS"),
        pytest.param([{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}], "", id="a range"),
        pytest.param(
            [
                {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80},
                {"IpProtocol": "udp", "FromPort": 443, "ToPort": 443},
            ],
            "has no rule that lets HTTPS out",
            id="other ports",
        ),
        pytest.param([], "has no rule that lets HTTPS out", id="nothing"),
    ],
)
def test_a_security_group_must_let_https_out(rules: list[dict[str, Any]], expected: str) -> None:
    assert judge_group(Network({}, groups=[{"GroupId": "sg-1", "IpPermissionsEgress": rules}]), "sg-1") == expected
    assert judge_group(Network({}), "sg-1") == "not found"


@dataclass
class Described:
    """EC2 as it describes what there is; `calls` are the operations that were called."""

    answers: dict[str, Any]
    calls: list[str] = field(default_factory=list)

    def pages(self, _service: str, operation: str, **_request: object) -> list[Any]:
        self.calls.append(operation)
        return [self.answers.get(operation, {})]


IDS = {
    "InternetGateway": "igw-1",
    "Route": "rtb-1|0.0.0.0/0",
    "RouteTable": "rtb-1",
    "SecurityGroup": "sg-1",
    "Subnet": "subnet-1",
    "SubnetRouteTableAssociation": "rtbassoc-1",
    "VPC": "vpc-1",
    "VPCEndpoint": "vpce-s3",
    "VPCGatewayAttachment": "IGW|vpc-1",
}
RESOURCES = [StackResource("x", kind, f"AWS::EC2::{kind}", text) for kind, text in IDS.items()]
PROOF = ["describe_route_tables", "describe_security_groups"]
NO_GATEWAYS: dict[str, Any] = {"InternetGateways": []}


@pytest.mark.parametrize(
    ("routes", "more", "missing", "calls"),
    [
        pytest.param([INTERNET, TO_S3], {}, [], PROOF, id="route tables prove everything"),
        pytest.param(
            [INTERNET],
            {"describe_vpc_endpoints": {"VpcEndpoints": []}},
            ["VPCEndpoint"],
            [*PROOF, "describe_vpc_endpoints"],
            id="an endpoint is gone",
        ),
        pytest.param(
            [TO_S3, {**INTERNET, "State": GONE}],
            {"describe_internet_gateways": NO_GATEWAYS},
            ["InternetGateway", "VPCGatewayAttachment"],
            [*PROOF, "describe_internet_gateways"],
            id="a gateway is gone",
        ),
        pytest.param(
            [TO_S3],
            {"describe_internet_gateways": {"InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": []}]}},
            ["Route", "VPCGatewayAttachment"],
            [*PROOF, "describe_internet_gateways"],
            id="a gateway is detached",
        ),
    ],
)
def test_route_tables_prove_what_they_lead_to(
    routes: list[dict[str, str]], more: dict[str, Any], missing: list[str], calls: list[str]
) -> None:
    described = Described(
        {
            "describe_route_tables": {"RouteTables": [table(*routes)]},
            "describe_security_groups": {"SecurityGroups": [{"GroupId": "sg-1"}]},
            **more,
        }
    )
    found = find_network_resources(cast("Reader", described), RESOURCES)
    assert [one.name for one, problem in found if problem] == missing
    assert described.calls == calls
