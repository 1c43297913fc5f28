"""What is masked and what is not: the table that docs/concepts/masking.md shows, replayed with the real log."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handoff_runtime.log import Log
from handoff_runtime.masking import mask_for_run
from handoff_runtime.params import ConfigFile, Params
from handoff_runtime.pipeline import Pipeline, Stage

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "masking.md"


class Case(NamedTuple):
    """Where a value comes from (`.local/NAME`, `env`, `data`, `command`), what a stage prints, what the log shows."""

    source: str
    content: str
    printed: str
    shown: str


PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0=\n-----END PRIVATE KEY-----\n"
ACCOUNT = json.dumps({"type": "service_account", "private_key": PEM, "client_email": "a@b.example.com"})
HARMLESS = {"host": "localhost", "default_target_schema": "public", "log_level": "INFO", "start_date": "2026-01-01"}

CASES = {
    "Files of `.local`": [
        Case(".local/tap.json", '{"password": "hunter22"}', "hunter22", "***"),
        Case(".local/tap.json", '{"password": "postgres"}', "postgres", "***"),
        Case(".local/tap.json", '{"api": {"keys": ["hunter22", "hunter33"]}}', "hunter22 hunter33", "*** ***"),
        Case(".local/tap.json", '{"anything": "hunter22"}', "say hunter22!", "say ***!"),
        Case(".local/tap.json", '{"pin": 4711, "account_number": 73918462}', "4711 73918462", "*** ***"),
        Case(".local/tap.json", '{"password": " hunter22\\r\\n"}', "hunter22", "***"),
        Case(".local/tap.json", '\ufeff{"password": "hunter22"}', "hunter22", "***"),
        Case(".local/tap.json", '{"password": "hunter22", "host": "db1",} // note', "hunter22 db1 note", "*** db1 note"),
        Case(".local/tap.json", '{"a": "hunter22", /* old */ "b": "hunter33"}', "hunter22 hunter33", "*** ***"),
        Case(".local/tap.json", json.dumps({"account": ACCOUNT}), "MIIEvQIBADAN BgkqhkiG9w0=", "*** ***"),
        Case(".local/tap.json", json.dumps({"account": ACCOUNT}), "type service_account", "type service_account"),
        Case(".local/tap.jsonl", '{"token": "hunter22"}\n{"token": "hunter33"}\n', "hunter22 hunter33", "*** ***"),
        Case(".local/tap.yml", "key: hunter22  # comment", "hunter22 comment", "*** comment"),
        Case(".local/tap.yml", "tokens:\n  - hunter22\n  - 'hunter33'\n", "hunter22 hunter33", "*** ***"),
        Case(".local/tap.yml", "- hunter22", "hunter22", "***"),
        Case(".local/tap.yml", "key: |\n  hunter22\n  hunter33\nhost: db1\n", "hunter22 hunter33 db1", "*** *** db1"),
        Case(".local/tap.yml", "db: {user: joe, password: hunter22}", "joe hunter22", "joe ***"),
        Case(".local/tap.yml", "password: 'it''s me'\n", "it's me", "***"),
        Case(".local/tap.toml", 'password = "hunter22" # note', "hunter22 note", "*** note"),
        Case(".local/tap.toml", '[db]\nhost = "db1"\nkey = """\nhunter22\n"""\n', "db1 hunter22", "db1 ***"),
        Case(".local/tap.ini", "[db]\nuser = joe\npassword = hunter22 ; note\n", "joe hunter22", "joe ***"),
        Case(".local/prod.env", "export PASSWORD=hunter22 # prod", "hunter22", "***"),
        Case(".local/prod.env", "export QUOTED='hunter 22'", "hunter 22", "***"),
        Case(".local/app.properties", "jdbc.password:hunter22", "hunter22", "***"),
        Case(".local/.pgpass", "localhost:5432:shop:joe:hunter22", "joe hunter22 localhost", "joe *** localhost"),
        Case(".local/.netrc", "machine h login joe password hunter22", "joe hunter22", "joe ***"),
        Case(".local/tap.xml", "<db><user>joe</user><password>hunter&amp;22</password></db>", "joe hunter&22", "joe ***"),
        Case(".local/tap.xml", '<add key="Password" value="hunter22"/>', "hunter22", "***"),
        Case(".local/password", "hunter22\n", "hunter22", "***"),
        Case(".local/note.txt", "the key of joe is hunter22x, do not lose it", "joe: hunter22x", "joe: ***"),
        Case(".local/key.pem", PEM, "MIIEvQIBADAN", "***"),
        Case(".local/tap.json", '{"dsn": "host=db1 user=joe password=hunter22"}', "db1 hunter22", "db1 ***"),
        Case(".local/azure.json", '{"storage": "AccountName=x;AccountKey=aB3/dE9==;"}', "aB3/dE9==", "***"),
    ],
    "Harmless in `.local`": [
        Case(".local/tap.json", json.dumps(HARMLESS), "INFO connecting to host localhost schema public", "INFO connecting to host localhost schema public"),
        Case(".local/tap.json", json.dumps(HARMLESS), "start_date 2026-01-01", "start_date 2026-01-01"),
        Case(".local/tap.json", '{"s3_bucket": "shop-data", "user": "shop_loader"}', "shop-data shop_loader", "shop-data shop_loader"),
        Case(".local/tap.json", '{"a": "db.example.com", "b": "10.0.0.7:5432"}', "db.example.com 10.0.0.7:5432", "db.example.com 10.0.0.7:5432"),
        Case(".local/tap.json", '{"a": "/var/data/in.csv", "b": "s3://bucket/x"}', "/var/data/in.csv s3://bucket/x", "/var/data/in.csv s3://bucket/x"),
        Case(".local/tap.json", '{"a": "utf-8", "b": true, "c": null, "d": 8080, "e": "15m"}', "utf-8 true null 8080 15m", "utf-8 true null 8080 15m"),
        Case(".local/tap.json", '{"a": "eu-west-1", "b": "mx-central-1", "c": "us-isob-east-1"}', "eu-west-1 mx-central-1 us-isob-east-1", "eu-west-1 mx-central-1 us-isob-east-1"),
        Case(".local/tap.json", '{"max_tokens": 4096, "token_url": "https://h.example.com/o"}', "4096 https://h.example.com/o", "4096 https://h.example.com/o"),
        Case(".local/tap.json", '{"primary_key": "order_id", "key_properties": ["id"]}', "id", "id"),
        Case(".local/tap.yml", "host: db1\nlog_level: debug\n", "debug: host db1", "debug: host db1"),
        Case(".local/tap.json", '{"password": "abc"}', "abc: too short to hide", "abc: too short to hide"),
    ],
    "URLs": [
        Case(".local/tap.json", '{"url": "postgres://joe:hunter22@host/db"}', "hunter22", "***"),
        Case(".local/tap.json", '{"url": "postgres://joe:hunter22@host/db"}', "postgres://joe:hunter22@host/db", "postgres://joe:***@host/db"),
        Case(".local/tap.json", '{"url": "https://u:hun%2Fter22@h"}', "hun/ter22", "***"),
        Case(".local/tap.json", '{"url": "https://h/x?user=joe&api_key=hunter22"}', "joe hunter22", "joe ***"),
        Case(".local/tap.json", '{"url": "https://h.example.com/path"}', "https://h.example.com/path", "https://h.example.com/path"),
    ],
    "Environment": [
        Case("env", f"MY_PRIVATE_KEY={PEM}", "BgkqhkiG9w0=", "***"),
        Case("env", "DB_PASS=hunter22\n", "hunter22", "***"),
        Case("env", "DATABASE_URL=postgres://joe:hunter22@host/db", "joe hunter22", "joe ***"),
        Case("env", "AUTH_HEADER=Bearer hunter22", "hunter22", "***"),
        Case("env", "SLACK_WEBHOOK=https://hooks.slack.com/services/T000/B000/Xy12Xy12", "Xy12Xy12", "***"),
        Case("env", "STRIPE_KEY=hunter22", "hunter22", "***"),
        Case("env", "ENCRYPTION_KEY=hunter22", "hunter22", "***"),
        Case("env", f"SA_CREDENTIALS={ACCOUNT}", "MIIEvQIBADAN service_account", "*** service_account"),
        Case("env", "ANY=AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE", "***"),
        Case("env", "OPTIONS=--user joe --password=hunter22", "joe hunter22", "joe ***"),
        Case("env", "GREETING=hunter22", "hunter22", "hunter22"),
        Case("env", "PWD=/home/joe/shop", "/home/joe/shop", "/home/joe/shop"),
        Case("env", "TOKENIZERS_PARALLELISM=false", "false", "false"),
        Case("env", "GOOGLE_APPLICATION_CREDENTIALS=/app/sa.json", "/app/sa.json", "/app/sa.json"),
    ],
    "`--data`, `--var`, words of a command": [
        Case("data", '{"api_token": "hunter22", "region": "eu-west"}', "hunter22 eu-west", "*** eu-west"),
        Case("data", '{"db": {"password": "hunter22", "name": "shop"}}', "hunter22 shop", "*** shop"),
        Case("data", '{"note": "hunter22"}', "hunter22", "hunter22"),
        Case("command", "tap --api-key=hunter22 --token hunter33 --max-tokens 4096", "hunter22 hunter33 4096", "*** *** 4096"),
        Case("command", "curl https://joe:hunter22@h/", "joe hunter22", "joe ***"),
    ],
    "Keys, by their words": [
        Case("env", "REPLICATION_PASSWORD=hunterab", "hunterab", "***"),
        Case("env", "DISCORD_WEBHOOK_URL=https://discord.com/api/webhooks/1234567/AbCdEfGhIjKlMnOpQr", "AbCdEfGhIjKlMnOpQr", "***"),
        Case("env", "SSHPASS=hunterab", "hunterab", "***"),
        Case("env", "GITLAB_PAT=hunterab", "hunterab", "***"),
        Case("env", "AUTH_DOMAIN=shop.example.com", "shop.example.com", "shop.example.com"),
        Case("env", "TOKENS_PER_MINUTE=10000", "10000", "10000"),
        Case("env", "TOKEN_SERVICE_PORT_8080_TCP_ADDR=10.0.0.1", "10.0.0.1", "10.0.0.1"),
        Case("env", "JIRA_PROJECT_KEY=SHOP", "SHOP-123", "SHOP-123"),
        Case("env", "CI_COMMIT_MESSAGE=fix: token refresh failed", "refresh failed", "refresh failed"),
        Case("data", '{"dist_key": "order_id"}', "order_id", "order_id"),
        Case(".local/tap.json", '{"project_id": "acme-prod", "dataset_id": "shop_raw"}', "acme-prod.shop_raw.orders", "acme-prod.shop_raw.orders"),
        Case(".local/tap.json", '{"passwords": {"db": "hunterab", "user": "postgres"}}', "hunterab postgres", "*** ***"),
        Case(".local/tap.json", '{"name": "DB_PASSWORD", "value": "postgres"}', "postgres", "***"),
        Case(".local/secrets/db", "hunterab", "hunterab", "***"),
    ],
    "Odd spellings": [
        Case(".local/keys.csv", "Access key ID,Secret access key\nAKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7MDENG", "***"),
        Case(".local/tap.yml", "tokens: [hunterab, 'hunterac']", "hunterab hunterac", "*** ***"),
        Case(".local/tap.yml", "password: &pw hunterab", "hunterab", "***"),
        Case(".local/tap.yml", "# password from the vault\nhost: db1", "connected from db1", "connected from db1"),
        Case(".local/.my.cnf", "password={hunter22", "{hunter22", "***"),
        Case(".local/odbc.ini", "Server=db1;Pwd={hun;ter22};Database=shop", "hun;ter22", "***"),
        Case(".local/app.properties", "password=p\\=ss\\:w0rd", "p=ss:w0rd", "***"),
        Case(".local/tap.toml", 'password = """hunterab"""', "hunterab", "***"),
        Case(".local/tap.json", '{"password": "$ecret123"}', "$ecret123", "***"),
        Case(".local/tap.json", '{"a": "${PASSWORD}"}', "${PASSWORD}", "${PASSWORD}"),
        Case(".local/hibernate.xml", '<property name="connection.password">hunterab</property>', "hunterab", "***"),
        Case("env", "PRIVATE_KEY=-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADAN\\nBgkqhkiG9w0=\\n-----END PRIVATE KEY-----", "MIIEvQIBADAN", "***"),
        Case("env", "JAVA_OPTS=-Djavax.net.ssl.trustStorePassword=changeit -Xmx1g", "changeit", "***"),
        Case("env", "DSN=joe:hunterab@tcp(db1:3306)/shop", "joe hunterab", "joe ***"),
        Case("command", "curl -u joe:hunterab https://h/", "joe hunterab", "joe ***"),
        Case("command", "tap --pass hunterab --skip-token-check orders", "hunterab orders", "*** orders"),
    ],
    "Forms of a secret": [
        Case(".local/tap.json", json.dumps({"password": 'a"b\\c'}), '{"k": "a\\"b\\\\c"}', '{"k": "***"}'),
        Case(".local/tap.json", json.dumps({"password": 'a"b\\c'}), json.dumps(json.dumps({"k": 'a"b\\c'})), '"{\\"k\\": \\"***\\"}"'),
        Case(".local/tap.json", json.dumps({"password": "a<b>&'c"}), "<p>a&lt;b&gt;&amp;&#39;c</p>", "<p>***</p>"),
        Case(".local/tap.json", json.dumps({"password": "a<b>&'c"}), "<p>a&lt;b&gt;&amp;&#x27;c</p>", "<p>***</p>"),
        Case(".local/tap.json", json.dumps({"password": "a/b+c d"}), "?p=a%2Fb%2Bc%20d", "?p=***"),
        Case(".local/tap.json", '{"password": "hunter22"}', "is hun\x1b[31mter\x1b[0m22 red", "is *** red"),
        Case(".local/tap.json", '{"password": "hunter22"}', "is hunt\rer22", "is ***"),
        Case(".local/tap.json", '{"password": "hunter22"}', "hunter22 \x1b[32mgreen\x1b[0m", "*** \x1b[32mgreen\x1b[0m"),
        Case(".local/tap.json", '{"password": "hunter22"}', "HUNTER22 aHVudGVyMjI=", "HUNTER22 aHVudGVyMjI="),
    ],
}  # fmt: skip
ALL = [
    pytest.param(case, id=f"{title.strip('`')}: {case.content[:30]} {case.printed[:20]}")
    for title, cases in CASES.items()
    for case in cases
]


def params_of(case: Case) -> tuple[Params, Pipeline, dict[str, str], dict[str, Any]]:
    kind, _, name = case.source.partition("/")
    files = (ConfigFile(name, case.content),) if kind == ".local" else ()
    words = tuple(case.content.split(" ")) if kind == "command" else ("tap",)
    pipeline = Pipeline("sample", "dev", {}, {}, "all", "rows", (Stage("stage", words, words[0], None, {}),))
    variable, _, value = case.content.partition("=")
    environ = {variable: value} if kind == "env" else {}
    return Params(pipeline, files, {}), pipeline, environ, json.loads(case.content) if kind == "data" else {}


@pytest.mark.parametrize("case", ALL)
def test_the_log_shows_what_the_table_says(tmp_path: Path, case: Case) -> None:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT, 0o600)
    log = Log(fd, "text", mask_for_run(*params_of(case)))
    log.feed("stage", f"{case.printed}\n".encode())
    os.close(fd)
    assert re.sub(r"^\d\d:\d\d:\d\d stage \| ", "", (tmp_path / "log").read_text(encoding="utf-8"))[:-1] == case.shown


def test_there_are_at_least_sixty_cases_of_both_directions() -> None:
    cases = [case for cases in CASES.values() for case in cases]
    readable = [case for case in cases if case.printed == case.shown]
    assert (len(cases) >= 60, len(readable) >= 15) == (True, True)


def visible(text: str) -> str:
    """A text as the page shows it."""
    for character, shown in (("\n", "\\n"), ("\r", "\\r"), ("\x1b", "\\e"), ("\ufeff", "BOM"), ("|", "\\|")):
        text = text.replace(character, shown)
    return f"`` {text} ``"


def tables() -> str:
    """The tables of the page."""
    lines: list[str] = []
    for title, cases in CASES.items():
        lines += [f"### {title}", "", "| source | a stage prints | the log shows |", "|---|---|---|"]
        lines += [
            f"| {case.source}: {visible(case.content)} | {visible(case.printed)} | {visible(case.shown)} |"
            for case in cases
        ]
        lines += [""]
    return "\n".join(lines)


def test_the_page_shows_the_table() -> None:
    """UPDATE_GOLDENS=1 writes it."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = "<!-- masking -->\n", "<!-- /masking -->"
    current = page[: page.index(start) + len(start)] + tables() + page[page.index(end) :]
    if os.environ.get("UPDATE_GOLDENS"):
        PAGE.write_text(current, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == current


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A" * 200_000, id="one word"),
        pytest.param("a b " * 50_000, id="words"),
        pytest.param(" " * 100_000 + "x", id="blanks"),
        pytest.param('{"a": ' * 20_000, id="deep JSON"),
        pytest.param("x" * 100 + "=" * 100_000, id="equal signs"),
        pytest.param("<a>" * 30_000, id="XML"),
        pytest.param('"' * 50_000, id="quotes"),
        pytest.param("a:" * 50_000, id="colons"),
        pytest.param("\\" * 50_000, id="backslashes"),
        pytest.param("password " * 20_000, id="the word password"),
        pytest.param(f"x{' ' * 40_000}y", id="blanks in a line"),
        pytest.param(f"<a>{' ' * 5_000}>", id="blanks in an element"),
        pytest.param("a_token=x," * 1_000, id="many secrets in a line"),
        pytest.param("token=x1y2z3;" * 9_000, id="more secrets in a line"),
        pytest.param(f"a: {'/_' * 200}/X1!", id="nearly a path"),
        pytest.param("&a " * 30_000 + "x", id="tags"),
        pytest.param("---Y" * 20_000, id="dashes within a word"),
        pytest.param("[" * 985 + "]" * 985, id="JSON as deep as can be read"),
        pytest.param('{"password": "abc\\ud800def"}', id="half a character"),
        pytest.param("id,token\n" + "".join(f"{n},tok{n}en\n" for n in range(4_000)), id="a table"),
    ],
)
def test_no_file_takes_long_to_read(text: str) -> None:
    """A quadratic pattern would take minutes."""
    case = Case(".local/tap.txt", text, "", "")
    began = time.process_time()
    mask_for_run(*params_of(case))
    assert time.process_time() - began < 10
