"""The network of tasks: whether its parts exist, and whether a task in it reaches AWS."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handoff_kit.aws.cloudformation.stack_resources import MISSING, StackResource
from handoff_kit.aws.reader import Reader

EC2 = "ec2"
INTERNET = ("0.0.0.0/0", "::/0")
HTTPS = 443
ENDPOINTS = ("ecr.api", "ecr.dkr", "s3", "logs", "ssm")
"""The services that a task must reach, by the ends of their endpoints' names."""
NETWORK_KINDS = tuple(
    f"AWS::EC2::{kind}"
    for kind in (
        "InternetGateway",
        "Route",
        "RouteTable",
        "SecurityGroup",
        "Subnet",
        "SubnetRouteTableAssociation",
        "VPC",
        "VPCEndpoint",
        "VPCGatewayAttachment",
    )
)

Described = Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """Route tables, security groups and endpoints as EC2 describes them; `subnets` has the VPC of those that exist."""

    subnets: Mapping[str, str]
    tables: Sequence[Described] = ()
    groups: Sequence[Described] = ()
    endpoints: Sequence[Described] = ()


def read_tables(reader: Reader, vpcs: Collection[str]) -> list[Described]:
    """The route tables of VPCs; each VPC that exists has one."""
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    pages = reader.pages(EC2, "describe_route_tables", Filters=filters) if vpcs else []
    return [table for page in pages for table in page["RouteTables"]]


def read_groups(reader: Reader, groups: Collection[str]) -> list[Described]:
    """The security groups that exist."""
    filters = [{"Name": "group-id", "Values": sorted(groups)}]
    pages = reader.pages(EC2, "describe_security_groups", Filters=filters) if groups else []
    return [group for page in pages for group in page["SecurityGroups"]]


def read_endpoints(reader: Reader, vpcs: Collection[str]) -> list[Described]:
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    pages = reader.pages(EC2, "describe_vpc_endpoints", Filters=filters) if vpcs else []
    return [endpoint for page in pages for endpoint in page["VpcEndpoints"]]


def read_network(
    reader: Reader, subnets: Collection[str], groups: Collection[str], vpc: str, *, public_ip: bool
) -> Network:
    """Two calls in the VPC of the shared stack, three in another; without public addresses one more, for endpoints."""
    tables = read_tables(reader, [vpc] if vpc else [])
    vpcs = _subnets_of(reader, tables, subnets)
    if not vpc:
        tables = read_tables(reader, set(vpcs.values()))
    endpoints = [] if public_ip else read_endpoints(reader, set(vpcs.values()))
    return Network(vpcs, tables, read_groups(reader, groups), endpoints)


def _subnets_of(reader: Reader, tables: Iterable[Described], subnets: Collection[str]) -> dict[str, str]:
    """The VPC of each subnet that exists; an association with a route table proves it."""
    found = {one["SubnetId"]: table["VpcId"] for table in tables for one in table["Associations"] if "SubnetId" in one}
    if missing := sorted(set(subnets) - set(found)):
        filters = [{"Name": "subnet-id", "Values": missing}]
        pages = reader.pages(EC2, "describe_subnets", Filters=filters)
        found |= {one["SubnetId"]: one["VpcId"] for page in pages for one in page["Subnets"]}
    return {subnet: found[subnet] for subnet in subnets if subnet in found}


def judge_subnet(network: Network, subnet: str, *, public_ip: bool) -> str:
    """What keeps a task in a subnet from reaching AWS; empty where nothing does."""
    if subnet not in network.subnets:
        return MISSING
    routes = [one for one in _routes(network, subnet) if _destination(one) in INTERNET]
    active = [one for one in routes if one.get("State") != "blackhole"]
    gateways = [str(one.get("GatewayId", "")).startswith("igw-") for one in active]
    if any(public_ip or not is_gateway for is_gateway in gateways):
        return ""
    missing = [] if public_ip else _missing_endpoints(network, subnet)
    if not public_ip and not missing:
        return ""
    if gateways:
        return "its route leads to an internet gateway, and tasks have no public address (public_ip)"
    if routes:
        return f"its route to the internet leads to {_goal(routes[0])}, which is gone"
    needed = f", nor endpoints for {', '.join(missing)}" if missing else ""
    return f"has no route to the internet{needed}"


def _missing_endpoints(network: Network, subnet: str) -> list[str]:
    """The services without an interface endpoint in the VPC, or a gateway endpoint in the subnet's route table."""
    vpc, goals = network.subnets[subnet], {_goal(one) for one in _routes(network, subnet)}
    names = [
        str(one["ServiceName"])
        for one in network.endpoints
        if one["VpcId"] == vpc and (one["VpcEndpointType"] != "Gateway" or one["VpcEndpointId"] in goals)
    ]
    return [service for service in ENDPOINTS if not any(name.endswith(f".{service}") for name in names)]


def _routes(network: Network, subnet: str) -> list[Described]:
    """The routes of the subnet's table, else of the main one of its VPC."""
    vpc = network.subnets[subnet]
    own = [table for table in network.tables if any(one.get("SubnetId") == subnet for one in table["Associations"])]
    main = [
        table
        for table in network.tables
        if table["VpcId"] == vpc and any(one.get("Main") for one in table["Associations"])
    ]
    return [route for table in (own or main)[:1] for route in table["Routes"]]


def _destination(route: Described) -> str:
    return str(route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock") or "")


def _goal(route: Described) -> str:
    names = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId")
    return next((str(route[name]) for name in names if route.get(name)), "")


def judge_group(network: Network, group: str) -> str:
    """What keeps a security group from letting HTTPS out; empty where nothing does."""
    found = next((one for one in network.groups if one["GroupId"] == group), None)
    if found is None:
        return MISSING
    for rule in found["IpPermissionsEgress"]:
        is_open = rule["IpProtocol"] == "-1"
        if is_open or (rule["IpProtocol"] in ("tcp", "6") and rule["FromPort"] <= HTTPS <= rule["ToPort"]):
            return ""
    return "has no rule that lets HTTPS out"


def find_network_resources(reader: Reader, resources: Sequence[StackResource]) -> Iterator[tuple[StackResource, str]]:
    """Resources of EC2 with what of each is missing.

    Route tables prove most of them: a VPC has one, and an active route proves its gateway or endpoint.
    """
    ids = {kind: {one.id for one in resources if one.kind == f"AWS::EC2::{kind}"} for kind in ("VPC", "SecurityGroup")}
    tables = read_tables(reader, ids["VPC"])
    routes = [route for table in tables for route in table["Routes"] if route.get("State") != "blackhole"]
    goals = set(filter(None, map(_goal, routes)))
    groups = {one["GroupId"] for one in read_groups(reader, ids["SecurityGroup"])}
    subnets = _subnets_of(reader, tables, [one.id for one in resources if one.kind == "AWS::EC2::Subnet"])
    endpoints, attachments = goals, {goal: {str(table["VpcId"]) for table in tables} for goal in goals}
    by_kind = {kind: {one.id for one in resources if one.kind == f"AWS::EC2::{kind}"} for kind in _BY_ROUTES}
    if not by_kind["VPCEndpoint"] <= goals:
        endpoints = {one["VpcEndpointId"] for one in read_endpoints(reader, ids["VPC"])}
    if not by_kind["InternetGateway"] <= goals:
        attachments = _read_gateways(reader, by_kind["InternetGateway"])
    exists = {
        "InternetGateway": attachments.keys(),
        "RouteTable": {table["RouteTableId"] for table in tables},
        "SecurityGroup": groups,
        "Subnet": subnets.keys(),
        "SubnetRouteTableAssociation": {
            one["RouteTableAssociationId"] for table in tables for one in table["Associations"]
        },
        "VPC": {table["VpcId"] for table in tables},
        "VPCEndpoint": endpoints,
    }
    attached = any(attachments.get(gateway) for gateway in by_kind["InternetGateway"])
    has_route = any(_destination(route) in INTERNET for table in tables for route in table["Routes"])
    for resource in resources:
        kind = resource.kind.rpartition(":")[2]
        is_found = {"Route": has_route, "VPCGatewayAttachment": attached}.get(kind)
        yield resource, "" if (resource.id in exists[kind] if is_found is None else is_found) else MISSING


_BY_ROUTES = ("InternetGateway", "VPCEndpoint")


def _read_gateways(reader: Reader, gateways: Collection[str]) -> dict[str, set[str]]:
    """The VPCs that each internet gateway is attached to; those that do not exist are left out."""
    filters = [{"Name": "internet-gateway-id", "Values": sorted(gateways)}]
    pages = reader.pages(EC2, "describe_internet_gateways", Filters=filters)
    return {
        one["InternetGatewayId"]: {each["VpcId"] for each in one["Attachments"]}
        for page in pages
        for one in page["InternetGateways"]
    }
