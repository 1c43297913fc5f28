"""Files that are credentials, by their name or by how their content begins: they stay out of an image."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

HEAD = 1 << 16  # bytes of a file that are looked at

# Directories that command-line tools keep their credentials in. Patterns are matched in lower case, at any depth.
DIRECTORIES = (
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".ssh",
    ".config/gcloud",
    ".config/gh",
    ".config/rclone",
)
FILES = (
    *(".env", ".env.*"),
    *(".netrc", "_netrc", ".git-credentials", ".pypirc", ".pgpass", ".my.cnf", ".mylogin.cnf", ".htpasswd"),
    *(".docker/config.json", ".dockercfg", ".dockerconfigjson", "kubeconfig"),
    *(".boto", ".s3cfg", ".databrickscfg", ".vault-token", ".terraformrc", ".snowsql/config", "rclone.conf"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"),
    *("*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk", "*.kdbx"),
    *("credentials.json", "client_secret*.json", "secrets.toml", "secrets.json", "secrets.yml", "secrets.yaml"),
    *("*.tfstate", "*.tfstate.*", "*.tfvars"),
)
# Files that are credentials unless all they hold is public: PEM (RFC 7468).
KEYS = ("*.pem", "*.key")
# Files of package managers, credentials where a password or token is in them; `${NAME}` takes it from the environment.
SETTINGS = (".npmrc", ".yarnrc", ".yarnrc.yml", "pip.conf", "pip.ini", ".condarc", "uv.toml")

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_PUBLIC = re.compile(
    rb"(?:X509 |TRUSTED )?CERTIFICATE|(?:RSA |EC )?PUBLIC KEY|X509 CRL|(?:DH|EC|X9\.42 DH) PARAMETERS"
    rb"|CERTIFICATE REQUEST"
)
# A key itself, not only its first line, which programs that look for keys hold too.
_PRIVATE = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\n|\\r|\s)+"
    rb"(?:[A-Za-z-]+: [^\r\n]*[\r\n]+)*[A-Za-z0-9+/=]{16}"
    rb"|PuTTY-User-Key-File-[23]:"
)
_PASSWORD = re.compile(
    rb"(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent)[\"']?\s*[=:]\s*[\"']?(?!\$\{)[^\s\"']"
    rb"|://[^/\s:@]*:(?!\$\{)[^/\s:@]+@",
    re.IGNORECASE,
)


def is_credential(path: Path, name: str) -> bool:
    """Whether a file, or a directory as a whole, holds credentials; `name` is its path below the project."""
    if any(_is_named(parent, DIRECTORIES) for parent in (name, *map(str, PurePosixPath(name).parents))):
        return True
    if path.is_dir() and not path.is_symlink():
        return False
    if _is_named(name, FILES):
        return True
    if path.is_symlink():
        return _is_named(name, KEYS)
    head = _head(path)
    if _is_named(name, KEYS):
        blocks = _BLOCK.findall(head)
        if not blocks or not all(_PUBLIC.fullmatch(block) for block in blocks):
            return True
    return bool(_PRIVATE.search(head)) or (_is_named(name, SETTINGS) and bool(_PASSWORD.search(head)))


def _is_named(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether the end of a path matches one of these."""
    parts = PurePosixPath(name.lower()).parts
    return any(fnmatchcase("/".join(parts[-1 - pattern.count("/") :]), pattern) for pattern in patterns)


def _head(path: Path) -> bytes:
    """Nothing of a file that cannot be read, or is none: that is reported where it would enter."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return file.read(HEAD)
    except OSError:
        pass
    return b""
