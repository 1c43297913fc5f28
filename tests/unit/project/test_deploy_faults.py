"""Everything that can be wrong with `deploy` in a project file: problems with its place, in plain words."""

from __future__ import annotations

import random

import pytest
from doubles.project_text import NO_VALUE, check_words, load_text, problems_of

from handoff_kit.project.deploy_settings import Deploy, Statement
from handoff_kit.project.problem import ProjectFileError

CPUS = "256, 512, 1024, 2048, 4096, 8192 or 16384"
ARN = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"
STATEMENT = '{Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKET/*"}'
DIGITS = "and 8 or 17 of the digits 0 to 9 and a to f"
FLAG = "true or false"
SPOT = "true, false or fallback"

KEYS = [
    pytest.param("{cpus: 256}", ["2:10: `cpus` is not a known key of `deploy` | did you mean `cpu`?"], id="misspelt"),
    pytest.param(
        "{arch: arm64, disk: 50, ram: 1, permissions: [], topic: a}",
        [
            "2:10: `arch` is not a known key of `deploy` | did you mean `architecture`?",
            "2:23: `disk` is not a known key of `deploy` | did you mean `storage`?",
            "2:33: `ram` is not a known key of `deploy` | did you mean `memory`?",
            "2:41: `permissions` is not a known key of `deploy` | did you mean `policies`?",
            "2:58: `topic` is not a known key of `deploy` | did you mean `alerts`?",
        ],
        id="other words",
    ),
    pytest.param(
        "{region: eu-central-1}",
        [
            "2:10: `region` is not a known key of `deploy` | known here: cpu, memory, storage, architecture, spot, "
            "log_retention, stop_timeout, tags, policies, permissions_boundary, kms_key, exec, vpc, subnets, security_groups, public_ip, cluster, bucket, alerts"
        ],
        id="unknown",
    ),
    pytest.param(
        "{platform: linux/arm64, timezone: UTC, envs: {}, args: a, Action: b}",
        [
            "2:10: `platform` is not a known key of `deploy` | `platform` belongs under image",
            "2:33: `timezone` is not a known key of `deploy` | `timezone` belongs to a schedule, under schedules",
            "2:48: `envs` is not a known key of `deploy` | `envs` belongs to the whole project, at the left margin",
            "2:58: `args` is not a known key of `deploy` | `args` belongs to a stage, under commands; or did you mean `tags`?",
            "2:67: `Action` is not a known key of `deploy` | `Action` belongs to a statement, under policies",
        ],
        id="of another part",
    ),
    pytest.param(
        "{}\ncpu: 256\nspot: true\ndeplyo: {}",
        [
            "3:1: `cpu` is not a known key | `cpu` belongs under deploy",
            "4:1: `spot` is not a known key | `spot` belongs under deploy",
            "5:1: `deplyo` is not a known key | did you mean `deploy`?",
        ],
        id="at the left margin",
    ),
]

AS_MAPPING = "write it like this: deploy: {cpu: 1024, memory: 2GB}"
SHAPES = [
    pytest.param("fargate", [f"2:9: `deploy` is `fargate`, expected a mapping | {AS_MAPPING}"], id="a word"),
    pytest.param("[a]", [f"2:9: `deploy` is a list, expected a mapping | {AS_MAPPING}"], id="a list"),
    pytest.param("", [f"2:1: `deploy` has no value, expected a mapping | {NO_VALUE}"], id="nothing"),
    pytest.param(
        "{cpu: , memory: [1], storage: {a: b}, spot: [yes], tags: a, vpc: [b], alerts: }",
        [
            f"2:10: `cpu` has no value, expected {CPUS} | {NO_VALUE}",
            "2:25: `memory` is a list, expected a size that Fargate has, in MiB or GB | write it like this: memory: 2GB",
            "2:39: `storage` is a mapping, expected a number of GiB, 20 to 200 | write it like this: storage: 50",
            f"2:53: `spot` is a list, expected {SPOT} | write it like this: spot: true",
            "2:66: `tags` is `a`, expected a mapping of names and texts | write it like this: tags: {team: data}",
            f"2:74: `vpc` is a list, expected the id of a VPC, vpc- {DIGITS} | list them: aws ec2 describe-vpcs --query 'Vpcs[].VpcId'",
            f"2:79: `alerts` has no value, expected the ARN of an SNS topic | {NO_VALUE}",
        ],
        id="wrong types",
    ),
    pytest.param(
        f"{{policies: '{ARN}', subnets: 'subnet-0a1b2c3d, subnet-4e5f6a7b', security_groups: sg-0a1b2c3d}}",
        [
            f"2:20: `policies` is `{ARN[:37]}...`, expected a list of ARNs and statements | write it as a list: policies: [{ARN}]",
            "2:85: `subnets` is `subnet-0a1b2c3d, subnet-4e5f6a7b`, expected a list of subnets | "
            "write it as a list: subnets: [subnet-0a1b2c3d, subnet-4e5f6a7b]",
            "2:138: `security_groups` is `sg-0a1b2c3d`, expected a list of security groups | "
            "write it as a list: security_groups: [sg-0a1b2c3d]",
        ],
        id="texts for lists",
    ),
    pytest.param(
        "{cluster: 7, bucket: 123, vpc: '', alerts: ''}",
        [
            '2:19: `cluster` is a number, 7; expected the name of an ECS cluster, or its ARN | if it really is called so, put it into quotes: cluster: "7"',
            "2:30: `bucket` is a number, 123; expected the name of a bucket, 3 to 63 lower-case letters, digits, - and . | "
            'if it really is called so, put it into quotes: bucket: "123"',
            f"2:40: `vpc` is an empty text, expected the id of a VPC, vpc- {DIGITS} | list them: aws ec2 describe-vpcs --query 'Vpcs[].VpcId'",
            "2:52: `alerts` is an empty text, expected the ARN of an SNS topic | "
            "write recipients at the left margin: alerts: [mailto:data@example.com]",
        ],
        id="numbers and empty texts",
    ),
]


@pytest.mark.parametrize(("deploy", "problems"), [*KEYS, *SHAPES])
def test_keys_and_shapes(deploy: str, problems: list[str]) -> None:
    assert _problems(deploy) == problems


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("300", "did you mean `256`?", id="300"),
        pytest.param("384", "did you mean `512`?", id="between two"),
        pytest.param("0.25", "did you mean `256`? 1024 are one vCPU", id="quarter"),
        pytest.param(".5", "did you mean `512`? 1024 are one vCPU", id="half"),
        pytest.param("1", "did you mean `1024`? 1024 are one vCPU", id="one"),
        pytest.param("1 vCPU", "did you mean `1024`? 1024 are one vCPU", id="1 vCPU"),
        pytest.param("2vcpu", "did you mean `2048`? 1024 are one vCPU", id="2vcpu"),
        pytest.param("500m", "did you mean `512`?", id="millicores"),
        pytest.param("0", "did you mean `256`? 1024 are one vCPU", id="nothing"),
        pytest.param("99999999", "did you mean `16384`?", id="too many"),
        pytest.param(" 256", "did you mean `256`?", id="padded"),
        pytest.param("-256", "write it like this: cpu: 256; 1024 are one vCPU", id="negative"),
        pytest.param("big", "write it like this: cpu: 256; 1024 are one vCPU", id="a word"),
        pytest.param("٢٥٦", "write it like this: cpu: 256; 1024 are one vCPU", id="other digits"),
    ],
)
def test_cpu(found: str, hint: str) -> None:
    assert _problems(f"{{cpu: '{found}'}}") == [f"2:15: `cpu` is `{found.strip()}`, expected {CPUS} | {hint}"]


QUARTER = "what goes with cpu 256: 512, 1GB or 2GB"
ONE = "what goes with cpu 1024: 2GB to 8GB in steps of 1GB"


@pytest.mark.parametrize(
    ("cpu", "memory", "expected", "hint"),
    [
        pytest.param("256", "300", QUARTER, "the nearest is `512`", id="too little"),
        pytest.param("256", "8GB", QUARTER, "the nearest is `2GB`; or, for 8GB, cpu: 1024", id="of a larger one"),
        pytest.param("256", "3072", QUARTER, "the nearest is `2GB`; or, for 3GB, cpu: 512", id="MiB of a larger one"),
        pytest.param("1024", "512", ONE, "the nearest is `2GB`; or, for 512, cpu: 256", id="of a smaller one"),
        pytest.param("1024", "2500", ONE, "the nearest is `2GB`", id="between two"),
        pytest.param("1024", "4", ONE, "did you mean `4GB`?", id="without a unit"),
        pytest.param("1024", "4g", ONE, "did you mean `4GB`?", id="g"),
        pytest.param("1024", "4096 MB", ONE, "did you mean `4GB`?", id="MB"),
        pytest.param("1024", "1TB", ONE, "the nearest is `8GB`", id="more than there is"),
        pytest.param("1024", "lots", ONE, "write it like this: memory: 2GB", id="a word"),
        pytest.param("1024", "2 pints", ONE, "write it like this: memory: 2GB", id="another unit"),
        pytest.param(
            "8192",
            "18GB",
            "what goes with cpu 8192: 16GB to 60GB in steps of 4GB",
            "the nearest is `20GB`; or, for 18GB, cpu: 4096",
            id="steps",
        ),
        pytest.param(
            "512",
            "5GB",
            "what goes with cpu 512: 1GB to 4GB in steps of 1GB",
            "the nearest is `4GB`; or, for 5GB, cpu: 1024",
            id="512",
        ),
        pytest.param(
            "16384",
            "256GB",
            "what goes with cpu 16384: 32GB to 120GB in steps of 8GB",
            "the nearest is `120GB`",
            id="the most there is",
        ),
    ],
)
def test_pairs(cpu: str, memory: str, expected: str, hint: str) -> None:
    problems = _problems(f"\n  cpu: {cpu}\n  memory: {memory}")
    assert problems == [f"4:11: `memory` is `{memory}`, expected {expected} | {hint}"]


def test_memory_beside_the_default_cpu() -> None:
    problems = _problems("{memory: 4GB}")
    assert problems == [
        "2:18: `memory` is `4GB`, expected what goes with cpu 256, the default: 512, 1GB or 2GB | the nearest is `2GB`; or, for 4GB, cpu: 512"
    ]


def test_memory_beside_a_cpu_that_is_none() -> None:
    assert [line.partition(" | ")[0] for line in _problems("{cpu: 300, memory: 700}")] == [
        f"2:15: `cpu` is `300`, expected {CPUS}",
        "2:28: `memory` is `700`, expected a size that Fargate has, in MiB or GB",
    ]
    assert [line.partition(" | ")[0] for line in _problems("{cpu: 300, memory: 8GB}")] == [
        f"2:15: `cpu` is `300`, expected {CPUS}"
    ]


RETENTION = "days that CloudWatch Logs knows, or forever"
NUMBERS = [
    pytest.param("storage", "10", "the least is 20, which costs nothing", id="storage: too little"),
    pytest.param(
        "storage", "201", "the most is 200; what is larger has its place in the bucket", id="storage: too much"
    ),
    pytest.param("storage", "50GB", "did you mean `50`?", id="storage: GB"),
    pytest.param("storage", "50.5 GiB", "did you mean `51`?", id="storage: a fraction"),
    pytest.param("storage", "30720 MB", "did you mean `30`?", id="storage: MB"),
    pytest.param("storage", "lots", "write it like this: storage: 50", id="storage: a word"),
    pytest.param("stop_timeout", "0", "the shortest is 2", id="stop_timeout: none"),
    pytest.param("stop_timeout", "121", "the longest is 120: Fargate waits no longer", id="stop_timeout: too long"),
    pytest.param("stop_timeout", "90s", "did you mean `90`?", id="stop_timeout: seconds"),
    pytest.param("stop_timeout", "2 min", "did you mean `120`?", id="stop_timeout: minutes"),
    pytest.param("stop_timeout", "1h", "the longest is 120: Fargate waits no longer", id="stop_timeout: an hour"),
    pytest.param("stop_timeout", "soon", "write it like this: stop_timeout: 30", id="stop_timeout: a word"),
    pytest.param("log_retention", "10", "the nearest are 7d and 14d", id="log_retention: between two"),
    pytest.param("log_retention", "8d", "the nearest are 7d and 14d", id="log_retention: 8d"),
    pytest.param("log_retention", "0", "the shortest is 1d", id="log_retention: none"),
    pytest.param("log_retention", "9999d", "the nearest are 3653d and forever", id="log_retention: 9999d"),
    pytest.param("log_retention", "3 months", "did you mean `90d`?", id="log_retention: months"),
    pytest.param("log_retention", "1y", "did you mean `365d`?", id="log_retention: a year"),
    pytest.param("log_retention", "2 years", "the nearest are 545d and 731d", id="log_retention: two years"),
    pytest.param("log_retention", "never", "did you mean `forever`?", id="log_retention: never"),
    pytest.param("log_retention", "12h", "write it like this: log_retention: 90d", id="log_retention: hours"),
]
EXPECTED = {
    "storage": "a number of GiB, 20 to 200",
    "stop_timeout": "a number of seconds, 2 to 120",
    "log_retention": RETENTION,
}


@pytest.mark.parametrize(("key", "found", "hint"), NUMBERS)
def test_numbers(key: str, found: str, hint: str) -> None:
    place = f"3:{len(key) + 5}"
    assert _problems(f"\n  {key}: '{found}'") == [f"{place}: `{key}` is `{found}`, expected {EXPECTED[key]} | {hint}"]


CHEAPER = "arm64 is cheaper; x86_64 runs what is built for no other"


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("aarch64", "did you mean `arm64`?", id="aarch64"),
        pytest.param("ARM64", "did you mean `arm64`?", id="capitals"),
        pytest.param("linux/arm64", "did you mean `arm64`?", id="a platform"),
        pytest.param("graviton", "did you mean `arm64`?", id="graviton"),
        pytest.param("amd64", "did you mean `x86_64`?", id="amd64"),
        pytest.param("x86-64", "did you mean `x86_64`?", id="x86-64"),
        pytest.param("X86_64", "did you mean `x86_64`?", id="capital"),
        pytest.param("riscv", CHEAPER, id="another"),
    ],
)
def test_architectures(found: str, hint: str) -> None:
    assert _problems(f"{{architecture: {found}}}") == [
        f"2:24: `architecture` is `{found}`, expected x86_64 or arm64 | {hint}"
    ]


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("1", "did you mean `true`?", id="1"),
        pytest.param("FARGATE_SPOT", "did you mean `true`?", id="the provider"),
        pytest.param("0", "did you mean `false`?", id="0"),
        pytest.param("maybe", "write it like this: spot: true", id="maybe"),
        pytest.param("''", "write it like this: spot: true", id="empty"),
    ],
)
def test_flags(found: str, hint: str) -> None:
    shown = "an empty text" if found == "''" else f"`{found}`"
    assert _problems(f"{{spot: {found}}}") == [f"2:16: `spot` is {shown}, expected {SPOT} | {hint}"]


def test_an_architecture_the_image_is_not_built_for() -> None:
    assert _problems("{architecture: x86_64}\nimage: {platform: linux/arm64}") == [
        "2:24: `architecture` is `x86_64`, but the image is built for linux/arm64; expected `arm64` | "
        "write architecture: arm64, or take `platform` out of image"
    ]


@pytest.mark.parametrize(
    ("text", "architecture"),
    [
        pytest.param("deploy: {}", "x86_64", id="neither"),
        pytest.param("image: {platform: linux/arm64}", "arm64", id="of the image alone"),
        pytest.param("image: {platform: linux/arm64}\ndeploy: {cpu: 512}", "arm64", id="of the image, beside deploy"),
        pytest.param("image: {platform: linux/amd64}", "x86_64", id="amd64"),
        pytest.param("deploy: {architecture: arm64}", "arm64", id="its own"),
        pytest.param("image: {platform: linux/arm64}\ndeploy: {architecture: arm64}", "arm64", id="both"),
    ],
)
def test_the_architecture_follows_the_image(text: str, architecture: str) -> None:
    deploy = load_text(text).deploy
    assert (deploy.architecture, deploy.platform) == (
        architecture,
        {"x86_64": "linux/amd64", "arm64": "linux/arm64"}[architecture],
    )


CHARACTERS = "expected letters, digits, blanks and . : / = + - @ _"
TAGS = [
    pytest.param(
        "aws:a: b", ["4:5: the tag `aws:a` begins with aws:, which is AWS's own | for example: a"], id="of AWS"
    ),
    pytest.param(
        "AWS:: b", ["4:5: the tag `AWS:` begins with aws:, which is AWS's own | for example: team"], id="nothing after"
    ),
    pytest.param(
        "handoff:project: b",
        ["4:5: the tag `handoff:project` begins with handoff:, which is handoff's own | for example: project"],
        id="of handoff",
    ),
    pytest.param(
        "'': b", ["4:5: a tag without a name, expected a name | write it like this: tags: {team: data}"], id="no name"
    ),
    pytest.param("a*b: c", [f"4:5: the name of the tag `a*b` holds '*', {CHARACTERS} | for example: a-b"], id="a star"),
    pytest.param("a: b;c", [f"4:8: the tag `a` holds ';', {CHARACTERS} | for example: b-c"], id="in a value"),
    pytest.param('a: "b\\tc"', [f"4:8: the tag `a` holds '\\t', {CHARACTERS} | for example: b-c"], id="a tab"),
    pytest.param(
        f"{129 * 'k'}: v",
        [f"4:5: the name of the tag `{37 * 'k'}...` is 129 characters long, expected at most 128 | shorten it"],
        id="a long name",
    ),
    pytest.param(
        f"a: {257 * 'v'}",
        ["4:8: the tag `a` is 257 characters long, expected at most 256 | shorten it"],
        id="a long value",
    ),
    pytest.param(
        "Team: a\n    team: b",
        ["5:5: the tags `team` and `Team` differ in their case only, which IAM does not see | keep one of the two"],
        id="case",
    ),
    pytest.param("a: [b]", ['4:8: `a` is a list, expected a text | write it as one text: a: "b"'], id="a list"),
    pytest.param("a:", [f"4:5: `a` has no value, expected a text | {NO_VALUE}"], id="nothing"),
]


@pytest.mark.parametrize(("tags", "problems"), TAGS)
def test_tags(tags: str, problems: list[str]) -> None:
    assert _problems(f"\n  tags:\n    {tags}") == problems


def test_too_many_tags() -> None:
    many = ", ".join(f"t{number}: a" for number in range(49))
    assert _problems(f"{{tags: {{{many}}}}}") == [
        "2:10: `tags` has 49 items, expected at most 48: AWS takes 50, and 2 are handoff's own | take some out"
    ]
    assert len(load_text(f"deploy: {{tags: {{{many.rpartition(',')[0]}}}}}").deploy.tags) == 48


POLICY = "expected the ARN of a policy, or a statement"
POLICIES = [
    pytest.param(
        "[AmazonS3ReadOnlyAccess]",
        [
            f"2:21: item 1 of `policies` is `AmazonS3ReadOnlyAccess`, {POLICY} | if it is one of AWS's own: "
            "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess; if it is yours: arn:aws:iam::ACCOUNT:policy/AmazonS3ReadOnlyAccess"
        ],
        id="a name",
    ),
    pytest.param(
        "['arn:aws:iam::123456789012:role/x', 's3:*', ' arn:aws:iam::aws:policy/x ']",
        [
            f"2:21: item 1 of `policies` is `arn:aws:iam::123456789012:role/x`, {POLICY} | that is the ARN of a role; a policy's is like {ARN}",
            f"2:57: item 2 of `policies` is `s3:*`, {POLICY} | for example: {ARN}",
            f"2:65: item 3 of `policies` is `arn:aws:iam::aws:policy/x`, {POLICY} | did you mean `arn:aws:iam::aws:policy/x`?",
        ],
        id="other ARNs",
    ),
    pytest.param(
        "[[a], null, '']",
        [
            f"2:21: item 1 of `policies` is a list, {POLICY} | write it like this: - {ARN}, or - {STATEMENT}",
            f"2:26: item 2 of `policies` has no value, {POLICY} | {NO_VALUE}",
            f"2:32: item 3 of `policies` is an empty text, {POLICY} | for example: {ARN}",
        ],
        id="neither",
    ),
    pytest.param(
        f"['{ARN}', '{ARN}']",
        [f"2:77: `{ARN}` is given a second time, the first is on line 2 | keep one of the two"],
        id="twice",
    ),
    pytest.param(
        "[{action: 's3:GetObject', resource: '*', effect: Allow}]",
        [
            "2:22: `action` is not a known key of item 1 of `policies` | did you mean `Action`?",
            "2:46: `resource` is not a known key of item 1 of `policies` | did you mean `Resource`?",
            "2:61: `effect` is not a known key of item 1 of `policies` | did you mean `Effect`?",
        ],
        id="small letters",
    ),
    pytest.param(
        "[{Version: a, Statement: []}]",
        [
            '2:21: item 1 of `policies` has no `Action`, expected an action, or a list of them | write it like this: Action: "s3:GetObject"',
            "2:21: item 1 of `policies` has no `Resource`, expected an ARN, or a list of them | "
            'write it like this: Resource: "arn:aws:s3:::BUCKET/*"',
            "2:22: `Version` is not a known key of item 1 of `policies` | write the statements alone, each as an item of policies",
            "2:34: `Statement` is not a known key of item 1 of `policies` | write the statements alone, each as an item of policies",
        ],
        id="a whole document",
    ),
    pytest.param(
        "[{NotAction: 'a:b', Resource: '*', Principal: '*'}]",
        [
            "2:22: `NotAction` is not a known key of item 1 of `policies` | say what it may do instead, as Action",
            "2:55: `Principal` is not a known key of item 1 of `policies` | take it out: the task's own role is meant",
        ],
        id="what is too much",
    ),
    pytest.param(
        "[{Action: [], Resource: [], Effect: allow, Sid: a b}]",
        [
            '2:30: `Action` is an empty list, expected at least one | write it like this: Action: "s3:GetObject"',
            '2:44: `Resource` is an empty list, expected at least one | write it like this: Resource: "arn:aws:s3:::BUCKET/*"',
            "2:56: `Effect` is `allow`, expected Allow or Deny | did you mean `Allow`?",
            "2:68: `Sid` is `a b`, expected letters and digits | did you mean `ab`?",
        ],
        id="empty lists",
    ),
    pytest.param(
        "[{Action: [s3, 'S3:Get*', ' a:b', 'a:b c'], Resource: ['s3://x/y', our-bucket, ' arn:aws:s3:::x']}]",
        [
            "2:31: item 1 of `Action` is `s3`, expected an action, as SERVICE:NAME | did you mean `s3:*`?",
            "2:35: item 2 of `Action` is `S3:Get*`, expected an action, as SERVICE:NAME | did you mean `s3:Get*`?",
            "2:46: item 3 of `Action` is `a:b`, expected an action, as SERVICE:NAME | did you mean `a:b`?",
            '2:54: item 4 of `Action` is `a:b c`, expected an action, as SERVICE:NAME | write it like this: Action: "s3:GetObject"',
            "2:75: item 1 of `Resource` is `s3://x/y`, expected an ARN, or * | did you mean `arn:aws:s3:::x/y`?",
            '2:87: item 2 of `Resource` is `our-bucket`, expected an ARN, or * | write it like this: Resource: "arn:aws:s3:::BUCKET/*"',
            "2:99: item 3 of `Resource` is `arn:aws:s3:::x`, expected an ARN, or * | did you mean `arn:aws:s3:::x`?",
        ],
        id="actions and resources",
    ),
    pytest.param(
        "[{Action: 'a:b', Resource: '*', Condition: {StringEquals: a}}, {Action: {a: b}, Resource: '*', Condition: a}]",
        [
            "2:78: `StringEquals` is `a`, expected a mapping of keys and values | "
            'write it like this: Condition: {StringEquals: {"aws:RequestedRegion": eu-central-1}}',
            '2:92: `Action` is a mapping, expected an action, or a list of them | write it like this: Action: "s3:GetObject"',
            "2:126: `Condition` is `a`, expected a mapping of operators | "
            'write it like this: Condition: {StringEquals: {"aws:RequestedRegion": eu-central-1}}',
        ],
        id="conditions",
    ),
    pytest.param(
        "[{Sid: A, Action: 'a:b', Resource: '*'}, {Sid: A, Action: 'a:b', Resource: '*'}]",
        ["2:67: the statement `A` is there already, on line 2 | give it another name: Sid: A2"],
        id="one name",
    ),
]


@pytest.mark.parametrize(("policies", "problems"), POLICIES)
def test_policies(policies: str, problems: list[str]) -> None:
    assert _problems(f"{{policies: {policies}}}") == problems


def test_too_many_managed_policies() -> None:
    lines = "".join(f"\n    - arn:aws:iam::aws:policy/p{number}" for number in range(12))
    assert _problems(f"\n  policies:{lines}") == [
        "14:7: `policies` names more than 10 managed policies, and a role can have no more | "
        "write what the task really needs of them as statements",
    ]
    ten = lines.rpartition("\n")[0].rpartition("\n")[0]
    assert len(load_text(f"deploy:\n  policies:{ten}").deploy.policies) == 10


SUBNETS = "subnets: [subnet-0a1b2c3d]"
NETWORKS = [
    pytest.param(
        "vpc: vpc-0a1b2c3d",
        [
            "3:3: found `vpc` without `subnets`, expected those of its subnets that tasks may run in | "
            "add them: subnets: [subnet-0a1b2c3d, subnet-4e5f6a7b]"
        ],
        id="vpc without subnets",
    ),
    pytest.param(
        SUBNETS,
        [
            "3:3: found `subnets` without `vpc` or `security_groups`, expected one of them | "
            "name the VPC they are in: vpc: vpc-0a1b2c3d; or your own groups: security_groups: [sg-0a1b2c3d]"
        ],
        id="subnets alone",
    ),
    pytest.param(
        f"vpc: vpc-0a1b2c3d\n  {SUBNETS}\n  security_groups: [sg-0a1b2c3d]",
        [
            "5:3: found `security_groups` beside `vpc`, expected one of them | "
            "with vpc handoff creates a security group; with security_groups it uses yours"
        ],
        id="vpc and security groups",
    ),
    pytest.param(
        "vpc: vpc-0a1b2c3d\n  subnets: []",
        ["4:12: `subnets` is an empty list, expected at least one | take the line out for the shared ones"],
        id="no subnets",
    ),
    pytest.param(
        "security_groups: []",
        ["3:20: `security_groups` is an empty list, expected at least one | take the line out for the shared ones"],
        id="no security groups",
    ),
    pytest.param(
        f"security_groups: [{', '.join(f'sg-0000000{n}' for n in range(6))}]",
        ["3:3: `security_groups` has 6 items, expected at most 5: a task takes no more | take some out"],
        id="too many security groups",
    ),
    pytest.param(
        f"{SUBNETS}\n  security_groups: [sg-0a1b2c3d, sg-0a1b2c3d]",
        ["4:34: `sg-0a1b2c3d` is given a second time, the first is on line 4 | keep one of the two"],
        id="twice",
    ),
    pytest.param(
        "vpc: VPC-0A1B2C3D\n  subnets: [subnet-123, vpc-0a1b2c3d]",
        [
            f"3:8: `vpc` is `VPC-0A1B2C3D`, expected the id of a VPC, vpc- {DIGITS} | did you mean `vpc-0a1b2c3d`?",
            f"4:13: item 1 of `subnets` is `subnet-123`, expected the id of a subnet, subnet- {DIGITS} | "
            "list them: aws ec2 describe-subnets --query 'Subnets[].[VpcId,SubnetId]'",
            f"4:25: item 2 of `subnets` is `vpc-0a1b2c3d`, expected the id of a subnet, subnet- {DIGITS} | that belongs to `vpc`",
        ],
        id="ids",
    ),
    pytest.param(
        "security_groups: [default]",
        [
            f"3:21: item 1 of `security_groups` is `default`, expected the id of a security group, sg- {DIGITS} | "
            "list them: aws ec2 describe-security-groups --query 'SecurityGroups[].[VpcId,GroupName,GroupId]'"
        ],
        id="a group by its name",
    ),
    pytest.param(
        "cluster: my cluster\n  alerts: oncall",
        [
            "3:12: `cluster` is `my cluster`, expected the name of an ECS cluster, or its ARN | list them: aws ecs list-clusters",
            "4:11: `alerts` is `oncall`, expected the ARN of an SNS topic | write the whole ARN: arn:aws:sns:REGION:ACCOUNT:oncall",
        ],
        id="cluster and topic",
    ),
]


@pytest.mark.parametrize(("deploy", "problems"), NETWORKS)
def test_networks(deploy: str, problems: list[str]) -> None:
    assert _problems(f"\n  {deploy}") == problems


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        pytest.param("s3://our-data/x/", "did you mean `our-data`?", id="an address"),
        pytest.param("arn:aws:s3:::our-data", "did you mean `our-data`?", id="an ARN"),
        pytest.param("Our_Data", "did you mean `our-data`?", id="capitals"),
        pytest.param("ab", "list them: aws s3 ls", id="too short"),
        pytest.param("a..b", "list them: aws s3 ls", id="two dots"),
        pytest.param("10.0.0.1", "list them: aws s3 ls", id="an address of the network"),
        pytest.param("-abc-", "did you mean `abc`?", id="dashes"),
    ],
)
def test_buckets(found: str, hint: str) -> None:
    expected = "the name of a bucket, 3 to 63 lower-case letters, digits, - and ."
    assert _problems(f"{{bucket: '{found}'}}") == [f"2:18: `bucket` is `{found}`, expected {expected} | {hint}"]


FILLED = "which nothing fills before a run | write the value itself; placeholders are filled when the pipeline runs"


@pytest.mark.parametrize(
    ("deploy", "place", "what"),
    [
        pytest.param("{cpu: '{{ x }}'}", "2:15", "`cpu`", id="cpu"),
        pytest.param("{memory: '{{ x }}'}", "2:18", "`memory`", id="memory"),
        pytest.param("{bucket: 'a-{{ x }}'}", "2:18", "`bucket`", id="bucket"),
        pytest.param("{tags: {a: '{{ x }}'}}", "2:20", "`a`", id="a tag"),
        pytest.param("{tags: {'{{ x }}': a}}", "2:17", "`{{ x }}`", id="the name of a tag"),
        pytest.param("{policies: ['{{ x }}']}", "2:21", "item 1 of `policies`", id="a policy"),
        pytest.param(
            "{policies: [{Action: 'a:b', Resource: ['arn:{{ x }}']}]}", "2:48", "item 1 of `Resource`", id="a resource"
        ),
        pytest.param(
            "{subnets: ['{{ x }}'], security_groups: [sg-0a1b2c3d]}", "2:20", "item 1 of `subnets`", id="a subnet"
        ),
    ],
)
def test_placeholders(deploy: str, place: str, what: str) -> None:
    assert _problems(deploy) == [f"{place}: {what} holds {{{{ x }}}}, {FILLED}"]


def test_every_fault_of_a_file_at_once() -> None:
    problems = _problems(
        "\n  cpu: 1\n  memory: 1\n  storage: 1\n  architecture: arm\n  spot: x\n  log_retention: 2\n  stop_timeout: 1\n"
        "  tags: {aws:a: b}\n  policies: [a, {}]\n  vpc: a\n  cluster: '-'\n  bucket: A\n  alerts: b\n  x: y\ncomand: a"
    )
    assert [line.split(": ")[0] for line in problems] == [
        "3:8", "4:11", "5:12", "6:17", "7:9", "8:18", "9:17", "10:10", "11:14", "11:17", "11:17", "12:8", "13:12", "14:11",
        "15:11", "16:3", "17:1",
    ]  # fmt: skip


WHOLE = """
deploy:
  cpu: 1024
  memory: 4 GB
  storage: 21
  architecture: arm64
  spot: yes
  log_retention: 3653d
  stop_timeout: 120
  tags: {Größe: 7, a b: "", url: https://a.example/b?}
"""


@pytest.mark.parametrize(
    ("text", "deploy"),
    [
        pytest.param(
            "", Deploy(cpu=256, memory=512, storage=20, architecture="x86_64", log_retention=90), id="nothing"
        ),
        pytest.param("deploy: {}", Deploy(stop_timeout=30, spot=False, public_ip=True), id="empty"),
        pytest.param("deploy: {cpu: 2048}", Deploy(cpu=2048, memory=4096), id="the least memory"),
        pytest.param("deploy: {memory: 2GB}", Deploy(memory=2048), id="memory alone"),
        pytest.param("deploy: {memory: 0.5GB}", Deploy(memory=512), id="half a GB"),
        pytest.param("deploy: {cpu: '512', memory: '1024'}", Deploy(cpu=512, memory=1024), id="in quotes"),
        pytest.param("deploy: {log_retention: forever}", Deploy(log_retention=None), id="forever"),
        pytest.param("deploy: {public_ip: off, spot: on}", Deploy(public_ip=False, spot=True), id="on and off"),
        pytest.param("deploy: {spot: fallback}", Deploy(spot="fallback"), id="Spot, else on demand"),
        pytest.param(
            f"deploy: {{policies: ['{ARN}', {{Action: 'a:b', Resource: ['*', 'arn:${{AWS::Partition}}:s3:::b']}}]}}",
            Deploy(policies=(ARN, Statement(Action=("a:b",), Resource=("*", "arn:${AWS::Partition}:s3:::b")))),
            id="policies",
        ),
        pytest.param(
            "deploy: {vpc: vpc-0a1b2c3d4e5f6a7b8, subnets: [subnet-0a1b2c3d], cluster: 'arn:aws:ecs:eu-central-1:123456789012:cluster/a'}",
            Deploy(
                vpc="vpc-0a1b2c3d4e5f6a7b8",
                subnets=("subnet-0a1b2c3d",),
                cluster="arn:aws:ecs:eu-central-1:123456789012:cluster/a",
            ),
            id="a VPC",
        ),
        pytest.param(
            "deploy: {security_groups: [sg-0a1b2c3d], bucket: our.data-1, alerts: 'arn:aws-cn:sns:cn-north-1:123456789012:a_b'}",
            Deploy(
                security_groups=("sg-0a1b2c3d",),
                bucket="our.data-1",
                alerts="arn:aws-cn:sns:cn-north-1:123456789012:a_b",
            ),
            id="groups, bucket, topic",
        ),
    ],
)
def test_what_is_right(text: str, deploy: Deploy) -> None:
    assert load_text(text).deploy == deploy


@pytest.mark.parametrize(
    ("count", "problems"),
    [
        pytest.param(
            120,
            [
                "3:3: found 120 statements of 9,601 characters in `policies`, expected at most 9,180: "
                "the role of a task takes no more | "
                "write one statement with lists of actions and resources; or a policy in IAM, and its ARN here"
            ],
            id="120",
        ),
        pytest.param(114, [], id="114"),
    ],
)
def test_statements_longer_than_a_role_takes(count: int, problems: list[str]) -> None:
    statements = "".join(f'\n  - {{Action: "s3:GetObject", Resource: "arn:aws:s3:::a{n:03}/*"}}' for n in range(count))
    assert problems_of(f"deploy:\n  policies:{statements}") == problems


def test_a_whole_deploy() -> None:
    with pytest.raises(ProjectFileError, match="holds '\\?'"):
        load_text(WHOLE)
    assert load_text(WHOLE.replace("b?", "b")).deploy == Deploy(
        cpu=1024,
        memory=4096,
        storage=21,
        architecture="arm64",
        spot=True,
        log_retention=3653,
        stop_timeout=120,
        tags={"Größe": "7", "a b": "", "url": "https://a.example/b"},
    )


def test_anything_is_told_in_our_words() -> None:
    chance = random.Random(7)
    letters = "0259.aAgGmMdx:/@-_+=*!$ ~{}"
    words = ["arn:aws:", "vpc-", "subnet-", "GB", "true", "{{ a }}", "forever", "256", "1024", "s3:", "٣"]
    keys, inner = list(Deploy.model_fields), list(Statement.model_fields)
    for _ in range(1200):
        text = "".join(chance.choice([*letters, *words]) for _ in range(chance.randint(0, 6)))
        statement = f'[{{{chance.choice(inner)}: "{text}", {chance.choice(inner)}2: [["{text}"]]}}]'
        written = chance.choice(
            [f'"{text}"', f'["{text}"]', f'{{a: "{text}"}}', "7.5", "no", "[null]", "null", statement]
        )
        line = f"{{{chance.choice(keys)}: {written}}}"
        check_words(f"deploy: {line}")


def _problems(deploy: str) -> list[str]:
    return problems_of(f"deploy: {deploy}")
