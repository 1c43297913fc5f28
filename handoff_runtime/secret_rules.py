"""What keys and forms say of a value: the vocabulary by which `secret_values` decides.

Patterns are texts: `re` compiles and keeps the few that a run needs, since all of them would cost 60 ms. In the tables
of forms one of the marks must be in a text before its pattern is tried. No pattern may take more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SECRET, HARMLESS, UNKNOWN = "secret", "harmless", "unknown"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Parts of a key that say what it holds, wherever they are in it.
STRONG = (
    "password", "passwd", "passwort", "passphrase", "passcode", "secret", "token", "credential", "privatekey", "apikey",
    "accesskey", "accountkey", "webhook", "authorization", "bearer",
)  # fmt: skip
# Words that hold one of these by chance: tokenizer, secretary.
NOT_STRONG = ("tokeniz", "secretar")
# Words of a key that say so, and words that only mostly do: their value may be a common word (`auth: oauth2`).
WEAK = _words("pass pwd pw pin otp psk pat creds")
MAY_BE_WORD = _words("auth sig signature hook salt cookie jwt key keys")
MAY_BE_PATH = MAY_BE_WORD | _words("credential privatekey pwd")  # `private_key: /keys/id_rsa`, PWD
# With one of these, `key` is no credential: primary_key, sort_key, project_key.
NO_CREDENTIAL = _words("""
    primary partition sort dist distribution foreign replication public join unique row object cluster bookmark order
    group merge upsert lookup business natural surrogate hash range valid dedup idempotency s project issue space cache
    redis message serializer deserializer converter vault pair arn
""")
# Words that end in `pass` or `key` and are no DBPASS or SSHKEY.
OTHER_WORDS = _words("""
    bypass compass trespass overpass underpass askpass monkey turkey hotkey distkey sortkey hockey jockey donkey whiskey
    smokey primarykey foreignkey partitionkey rowkey publickey projectkey
""")
SHORTEST_JOINED = 6
# First and last words of a key that make it speak *about* a secret: max_tokens, token_type, private_key_path.
ABOUT_FIRST = _words("max min num count use has is enable disable allow no require skip with total")
ABOUT_LAST = _words("""
    file path dir directory url uri endpoint type name names method mode ttl expiry expiration expires lifetime length
    size limit count column columns field fields prefix suffix enabled required version region host port user username
    format scheme algorithm provider property properties timeout interval schema table sock server in at on second
    seconds minute minutes hour hours day days ms changed policy scope issuer audience addr proto tcp mount rounds
    events stdin check
""")
HARMLESS_LAST = ABOUT_LAST | _words("""
    hosts hostname servers ports email database databases db dbs dbname schemas tables stream streams bucket level date
    time start end zone timezone encoding charset delimiter separator quotechar warehouse role dataset location site
    domain subdomain account project projectid environment env catalog dialect driver engine protocol locale language
    currency country city unit units bytes frequency batch window max min retries workers threads rows records pattern
    glob regex extension compression replication topic queue index branch owner repo repository org organization team
    description title label tag tags agent sslmode plugin executable command variant selected select shop channel
    channels scopes mechanism arn acl class slot slug stage profile target namespace kind context cluster broker brokers
    entity object objects report reports strategy priority acks reset collection collections keyspace permissions
    overrides realm backend source samesite
""")
ADDRESSES = _words("url uri endpoint")  # of a webhook: all that it needs
PLURALS = _words("passwords passphrases tokens secrets")  # what is below them is secret, whatever its key
COMMON = _words("""
    true false null none yes no on off auto default main master public private local dev test staging prod production
    debug info notice warn warning error critical fatal trace verbose quiet silent failed success succeeded ok
    utf-8 utf8 ascii latin-1 json jsonl csv tsv parquet avro xml yaml toml text gzip zip bzip2 zstd snappy binary raw
    postgres postgresql mysql sqlite sqlserver oracle snowflake bigquery redshift duckdb mongodb kafka http https ftp
    sftp ssh tcp udp basic bearer oauth oauth2 digest apikey password token header query body user users admin root
    guest readonly require prefer verify-full verify-ca disable enable append replace overwrite upsert insert update
    merge full incremental full_table log_based hour hourly day daily week weekly month monthly year yearly
    service_account authorized_user client_credentials authorization_code refresh_token
""")
SCHEMES = _words("bearer basic token apikey digest")

DIGITS = tuple("0123456789")
REFERENCE = r"(ssm|secretsmanager):\S+"
VARIABLE = (
    r"\$([A-Z_][A-Z0-9_]*|[a-z_]+|[0-9]|\{[^}]*\}|\(.*\))|\{\{.*\}\}|<[A-Za-z_ -]+>"
    r"|-----(BEGIN|END) [A-Z ]+-----|%\(\w+\)s|%[A-Z_]+%"
)
PATH = (
    r"(~|\.{0,2})(/([a-z0-9@%_.=-]+|[A-Z][a-z]+|[A-Z][A-Z_]*))+/?"
    r"|[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]+)*\.[a-z][a-z0-9]{1,7}(\.gz)?"
)
HOST = (
    r"([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)+"
    r"([a-z]{2}|com|org|net|edu|gov|app|cloud|dev|info|int|internal|lan|local|io)\.?(:[0-9]{1,5})?"
)
NODE = rf"({HOST}|[a-z][a-z0-9-]*(:[0-9]{{1,5}}))"
UNIT = r"(%|[kKMGT]?i?[bB]?|[munμ]?s|min|[hdwy]|(second|minute|hour|day|week|month|year|row|byte)s?|secs?|mins?|hrs?)"
HARMLESS_FORMS = (
    (DIGITS, r"[0-9]{4}-[0-9]{2}(-[0-9]{2}([T ][0-9:.]{4,15} ?(Z|[A-Z]{3}|[+-][0-9:]{4,5})?)?)?"),  # a date, a time
    (DIGITS, r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?|[0-9]{4}/[0-9]{2}/[0-9]{2}|P(T?[0-9]+[YMWDHS])+"),
    (DIGITS, r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"),
    (DIGITS, rf"[0-9.,]+ ?{UNIT}|[0-9]{{1,5}}"),
    (
        DIGITS,
        r"v?[0-9]+(\.[0-9]+){1,3}(:[0-9]+|/[0-9]{1,2}|[-+.]?(alpha|beta|rc|dev|post|a|b)\.?[0-9]*)?",
    ),  # version, IP
    (("*", "("), r"[-0-9*/,?A-Z ]{9,40}|(cron|rate)\([-0-9*/,?A-Za-z ]+\)|[\w./-]*\*[\w./*-]*"),  # cron, glob
    (("localhost",), r"localhost(:[0-9]+)?"),
    ((".",), HOST),
    ((",",), rf"{NODE}(,{NODE})+"),
    ((":",), r"[a-z][a-z0-9-]*:[0-9]{2,5}"),
    (("/", "."), PATH),
    (("\\",), r"([A-Za-z]:|\\)(\\[\w .$-]+)+\\?"),
    (("://",), r"(?i)[a-z][a-z0-9+.-]{1,20}://[^\s@]*"),
    (
        ("/",),
        r"(application|text|image|audio|video|multipart)/[\w.+-]+|[A-Z][a-z]+/[A-Z][A-Za-z_]+",
    ),  # media, time zone
    (("@",), r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
    (("-",), r"(us|eu|ap|sa|ca|me|af|il|mx|cn|eusc)(-(gov|iso[bef]?|de))?-[a-z]{4,9}-[0-9][a-z]?"),  # a region of AWS
    (("arn:",), r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[\w/.:*+@-]+"),
    (DIGITS, r"(?i)utf-?(8|16|32)(mb4|-sig)?|iso-8859-[0-9]{1,2}|(windows-|cp)125[0-9]|latin1|SCRAM-SHA-(1|256|512)"),
    (("$", "{", "<", "-----", "%"), VARIABLE),
    ((":",), REFERENCE),
    ((".artifacts", ".env"), r"(\./)?\.(artifacts|env)(/.*)?"),  # our own places
)
A_DSN, AN_ORACLE_URL = "a DSN with a password", "a URL of Oracle"
FORMS = (
    ("a key of AWS", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a token of GitHub", ("gh", "github_"), r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("a token of GitLab", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{16,}"),
    ("a token of Slack", ("xox",), r"\bxox[a-z]-[A-Za-z0-9-]{8,}"),
    ("a token of Slack", ("hooks.slack.com",), r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{16,}"),
    ("a key of Google", ("AIza",), r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("a key of Stripe", ("k_live_", "k_test_"), r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("a token of a package index", ("npm_", "pypi-"), r"\b(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"),
    ("a token of an AI service", ("sk-", "hf_"), r"\b(?:sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,})"),
    ("a JSON web token", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    ("an authorization header", ("Basic ", "Bearer "), r"(?<=\bBasic )\S{12,}|(?<=\bBearer )\S{12,}"),
    ("a webhook", ("webhook",), r"(?<=/webhooks/)[0-9]{5,}/[\w-]{16,}|(?<=\.webhook\.office\.com/webhookb2/)\S{20,}"),
    ("a URL with a password", ("://",), r"(?<=://)[^\s/:@\"'<>]*:[^\s/\"<>]+(?=@)"),
    (A_DSN, ("@",), r"(?<![^\s=\"'])[\w.-]{1,64}[:/][^\s:/@]{4,}(?=@(?:tcp|unix)?\(?[\w.-]+[:)])"),
    (AN_ORACLE_URL, (":thin:",), r"(?<=:thin:)[^\s/@]+/[^\s@]+(?=@)"),
)


def secrecy(key: str) -> str:
    """What a key says of its value: SECRET, HARMLESS, or UNKNOWN."""
    words = split(key)
    if not words:
        return UNKNOWN
    if part := _part(words):
        about = ABOUT_LAST | HARMLESS_LAST if part in MAY_BE_WORD else ABOUT_LAST
        is_webhook = words[-1] in ADDRESSES and "hook" in "".join(words)
        is_about = words[0] in ABOUT_FIRST or words[-1] in about
        return SECRET if is_webhook or not is_about else UNKNOWN
    last = words[-2] if len(words) > 1 and words[-1] in ("id", "ids") else words[-1]
    return HARMLESS if last in HARMLESS_LAST else UNKNOWN


def secret_part(key: str) -> str | None:
    """The part of a key that makes it secret, None where the key is not."""
    return _part(split(key)) if secrecy(key) == SECRET else None


def split(key: str) -> list[str]:
    """The words of a key, however it joins them: api_key, apiKey, API-KEY."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", key)]


def _part(words: list[str]) -> str | None:
    joined = "".join(words)
    for word in NOT_STRONG:
        joined = joined.replace(word, "")
    if strong := next((part for part in STRONG if part in joined), None):
        return strong
    # Words that may also mean something else; `key` alone says nothing.
    is_key = len(words) > 1 and NO_CREDENTIAL.isdisjoint(words)
    for word in words:
        if word in WEAK or (word in MAY_BE_WORD and (is_key or not word.startswith("key"))):
            return word
        if word not in OTHER_WORDS and (
            word.endswith("pass") or (len(word) >= SHORTEST_JOINED and word.endswith("key"))
        ):
            return "pass" if word.endswith("pass") else "key"
    return None


def may_name_secret(text: str) -> bool:
    """Whether a word that makes a key secret is in a text; most have none, and need no closer look."""
    text = text.lower().replace("_", "").replace("-", "")
    return any(part in text for part in (*STRONG, *WEAK, *MAY_BE_WORD))


def is_harmless(text: str) -> bool:
    """Whether a text has a form that no secret has: a common word, a time, a host, a path, a URL without password."""
    text = text.strip("\"' ")
    if text.lower() in COMMON:
        return True
    return any(any(mark in text for mark in marks) and re.fullmatch(form, text) for marks, form in HARMLESS_FORMS)


def is_placeholder(key: str, text: str) -> bool:
    """Whether the value of a secret key is none: a variable, a reference; a path or word where the key allows it."""
    part = secret_part(key)
    if (part in MAY_BE_WORD and text.lower() in COMMON) or (part in MAY_BE_PATH and re.fullmatch(PATH, text)):
        return True
    return bool(re.fullmatch(VARIABLE, text) or re.fullmatch(REFERENCE, text))


def find_credentials(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each credential that a text holds by its form; of a URL it is `user:password`."""
    for kind, marks, form in FORMS:
        if any(mark in text for mark in marks):
            for match in re.finditer(form, text):
                yield kind, match[0]
