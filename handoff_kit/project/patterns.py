"""Patterns and limits of values in AWS, Docker, Debian and handoff, each with its source."""

from __future__ import annotations

import re

# Blanks that are none to a shell, and characters without a width
INVISIBLE = "\u00a0\u00ad\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
COLLECTOR_STATS = "collector_stats"
NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
VENV_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
# An image as a Dockerfile's FROM takes it: [HOST[:PORT]/]PATH[:TAG][@DIGEST], https://pkg.go.dev/github.com/distribution/reference
_HOST = r"[a-z0-9]+([.-]+[a-z0-9]+)*(:[0-9]+)?"
_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
BASE = rf"^({_HOST}/)?{_PART}(/{_PART})*({_TAG})?(@sha256:[0-9a-f]{{64}})?$"
# A Debian package as apt-get install takes it: NAME[:ARCHITECTURE][=VERSION], Debian Policy 5.6.1 and 5.6.12
# (a name never ends in -, which would mean: remove it)
PACKAGE = r"^[a-z0-9][a-z0-9+.-]*[a-z0-9+](:[a-z0-9]+)?(=[A-Za-z0-9.+:~*-]+)?$"
SERVICE = r"^[a-z0-9]+(-[a-z0-9]+)*$"
FOREVER = "forever"
MAX_DAYS = 9999
DAYS = rf"^([1-9][0-9]{{0,3}}d?|{FOREVER})$"
# At most some decades: S3 and time_t hold them
DURATION = r"^([1-9][0-9]{0,8}s|[1-9][0-9]{0,6}m|[1-9][0-9]{0,5}h|[1-9][0-9]{0,3}d)$"
ROWS = r"^[1-9][0-9]{0,11}$"
# S3 counts no further (NewerNoncurrentVersions), Amazon S3 API Reference, NoncurrentVersionExpiration
MAX_STATES = 100
STATES = r"^([1-9][0-9]?|100)$"
MEMORY = r"^([1-9][0-9]{2,5}|0\.5 ?Gi?B|[1-9][0-9]{0,2}(\.0)? ?Gi?B)$"
MIN_STORAGE, MAX_STORAGE = 20, 200  # GiB; 20 come with every task
MIN_STOP, MAX_STOP = 2, 120  # seconds
MAX_WINDOW = 1440  # minutes
# The days that CloudWatch Logs can keep a log group for, API Reference, PutRetentionPolicy
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
RETENTION = rf"^(({'|'.join(map(str, RETENTIONS))})d?|{FOREVER})$"
_ACCOUNT = r"[0-9]{12}"
POLICY_ARN = rf"^arn:aws[a-z-]*:iam::(aws|{_ACCOUNT}):policy/[A-Za-z0-9+=,.@_/-]{{1,512}}$"
_POLICY_NAME = r"[A-Za-z0-9+=,.@_/-]{1,512}"
BOUNDARY = rf"^(arn:aws[a-z-]*:iam::(aws|{_ACCOUNT}):policy/)?{_POLICY_NAME}$"
_KEY_ID = r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
KMS_KEY = rf"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:{_ACCOUNT}:key/)?{_KEY_ID}$"
SID = r"^[A-Za-z0-9]{1,100}$"
ACTION = r"^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$"
RESOURCE = r"^(\*|arn:.+)$"
TOPIC_ARN = rf"^arn:aws[a-z-]*:sns:[a-z0-9-]+:{_ACCOUNT}:[A-Za-z0-9_-]{{1,256}}$"
MAX_ALERTS = 10
_MAIL = r"mailto:[^@\s,<>]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
# EventBridge API Reference, CreateApiDestination: InvocationEndpoint; * stands for a part that a rule fills in
_WEBHOOK = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9()_.!~';/?:@&=+$,%-]{0,2000})?"
_STORED_WEBHOOK = r"(teams\+)?(ssm:/[A-Za-z0-9_./-]+(:[0-9]+)?|secretsmanager:[A-Za-z0-9_/+=.@:-]+(#[A-Za-z0-9_.-]+)?)"
ALERT = rf"^({_MAIL}|{_WEBHOOK}|{_STORED_WEBHOOK}|(sns:)?{TOPIC_ARN.strip('^$')})$"
CLUSTER = rf"^(arn:aws[a-z-]*:ecs:[a-z0-9-]+:{_ACCOUNT}:cluster/)?[A-Za-z0-9][A-Za-z0-9_-]{{0,254}}$"
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
BUCKET = rf"^{_LABEL}(\.{_LABEL})*$"
MIN_BUCKET, MAX_BUCKET = 3, 63
VPC = r"^vpc-([0-9a-f]{8}|[0-9a-f]{17})$"
SUBNET = r"^subnet-([0-9a-f]{8}|[0-9a-f]{17})$"
SECURITY_GROUP = r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$"
MAX_SUBNETS, MAX_GROUPS = 16, 5  # ECS API Reference, AwsVpcConfiguration
MAX_MANAGED = 10  # IAM: managed policies of a role
# IAM, quotas: characters of a role's inline policies, blanks not counted; and those of handoff's own, at least
MAX_INLINE, OWN_INLINE = 10_240, 1060
# Amazon ECS API Reference, TaskOverride: characters of all overrides of a run as JSON
MAX_OVERRIDES = 8192
# EventBridge Scheduler, CreateSchedule
SCHEDULE_NAME = r"^[A-Za-z0-9_.-]{1,64}$"


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches the whole text."""
    return bool(re.fullmatch(pattern.strip("^$"), text))


def is_name(text: str) -> bool:
    """Whether a text is a valid name of a variable."""
    return matches(NAME, text)


def is_bucket(text: str) -> bool:
    """Whether a text is a valid name of a bucket."""
    is_address = re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text)
    return matches(BUCKET, text) and MIN_BUCKET <= len(text) <= MAX_BUCKET and not is_address
