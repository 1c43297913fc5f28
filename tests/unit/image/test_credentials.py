"""Which files are credentials: by name, by content, and which only look like it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from handoff_kit.image import checks, context
from handoff_kit.image.credentials import is_credential
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from handoff_kit.project.model import Project

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"


def pem(label: str) -> str:
    return f"-----BEGIN {label}-----\n{BODY}\n-----END {label}-----\n"


KEY, CERTIFICATE = pem("PRIVATE KEY"), pem("CERTIFICATE")
ACCOUNT = json.dumps({"type": "service_account", "private_key_id": "1", "private_key": KEY})
SECRET = {
    ".aws/credentials": "",
    ".aws/config": "",
    "home/.aws/sso/cache/x.json": "",
    ".ssh/config": "",
    ".kube/config": "",
    "kubeconfig": "",
    ".config/gcloud/application_default_credentials.json": "",
    ".azure/accessTokens.json": "",
    ".docker/config.json": "",
    ".dockercfg": "",
    ".netrc": "",
    "_netrc": "",
    ".git-credentials": "",
    ".pypirc": "",
    ".pgpass": "",
    ".my.cnf": "",
    ".htpasswd": "",
    ".env": "A=1",
    "deploy/.env.production": "A=1",
    "id_rsa": "",
    "keys/id_ed25519": "",
    "ID_ECDSA": "",
    "server.pem": KEY,
    "both.pem": CERTIFICATE + KEY,
    "der.pem": "\x30\x82",
    "client.key": "",
    "store.p12": "",
    "store.PFX": "",
    "store.jks": "",
    "a.ppk": "",
    "credentials.json": "{}",
    "client_secret_12.apps.json": "{}",
    ".dlt/secrets.toml": "",
    "infra/terraform.tfstate": "{}",
    "infra/terraform.tfstate.backup": "{}",
    "infra/prod.tfvars": "",
    "service-account-prod.json": ACCOUNT,
    "google.json": ACCOUNT,
    "deploy_key": pem("OPENSSH PRIVATE KEY"),
    "old_key": f"-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,0\r\n\r\n{BODY}",
    "gpg.asc": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{BODY}",
    "config.yml": f"snowflake:\n  private_key: |\n    -----BEGIN ENCRYPTED PRIVATE KEY-----\n    {BODY}\n",
    "putty": "PuTTY-User-Key-File-3: ssh-ed25519\n",
    ".npmrc": "//npm.example.com/:_authToken=npm_abc\n",
    ".yarnrc.yml": "npmAuthToken: abc\n",
    "pip.conf": "[global]\nindex-url = https://joe:pw@pypi.example.com/simple\n",
}
PUBLIC = {
    "ca-bundle.pem": CERTIFICATE * 3,
    "rds-ca.pem": f"# Amazon RDS\n{CERTIFICATE}",
    "public.pem": pem("PUBLIC KEY"),
    "public.key": pem("RSA PUBLIC KEY"),
    "id_rsa.pub": "ssh-rsa AAAA",
    "known_hosts": "",
    ".npmrc": "registry=https://npm.example.com\n//r.example.com/:_authToken=${NPM_TOKEN}\n",
    "pip.conf": "[global]\nindex-url = https://pypi.example.com/simple\n",
    "uv.toml": 'index-url = "https://joe:${PASSWORD}@pypi.example.com/simple"\n',
    "service-account.md": "Put `private_key` into .local\n",
    "find_keys.py": 'MARK = "-----BEGIN PRIVATE KEY-----"\nif MARK in text: ...\n',
    "keys.csv": "a,b\n",
    "environment.py": "",
    "secrets.py": "",
    "config.json": '{"host": "localhost"}',
    "aws/config": "",
}


def write(directory: Path, name: str, content: str) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "content"), SECRET.items(), ids=SECRET)
def test_a_credential(tmp_path: Path, name: str, content: str) -> None:
    assert is_credential(write(tmp_path, name, content), name)


@pytest.mark.parametrize(("name", "content"), PUBLIC.items(), ids=PUBLIC)
def test_no_credential(tmp_path: Path, name: str, content: str) -> None:
    assert not is_credential(write(tmp_path, name, content), name)


def project(tmp_path: Path, image: str) -> tuple[ProjectPaths, Project]:
    """A project with all of it: what is secret below `a`, what is public below `b`."""
    paths = ProjectPaths("shop", tmp_path)
    for top, files in (("a", SECRET), ("b", PUBLIC)):
        for name, content in files.items():
            write(paths.directory / top, name, content)
    write(paths.directory, "project.yml", f"commands: [{{command: a}}]\nimage: {image}\n")
    (paths.directory / "id_rsa").symlink_to("a/id_rsa")
    return paths, load_project(paths.file, paths.display_path)


def entered(paths: ProjectPaths, loaded: Project) -> set[str]:
    found = (entry for entry in context.context_entries(paths, loaded) if entry.source or entry.target)
    return {entry.path.removeprefix("project/") for entry in found if entry.path.startswith("project/")}


def test_credentials_stay_out_and_are_named(tmp_path: Path) -> None:
    paths, loaded = project(tmp_path, "{}")
    assert entered(paths, loaded) == {f"b/{name}" for name in PUBLIC}
    whole = {"a/.aws", "a/home/.aws", "a/.ssh", "a/.kube", "a/.config/gcloud", "a/.azure"}
    alone = {f"a/{name}" for name in SECRET if not f"a/{name}".startswith(tuple(f"{each}/" for each in whole))}
    assert set(context.credential_files(paths, loaded)) == whole | alone | {"id_rsa"}
    (note,) = checks.credential_problems(paths, loaded)
    assert (note.fatal, note.message.startswith("projects/shop: left out of the image, ")) == (False, True)
    assert "a/.aws, a/.azure, a/.config/gcloud, a/.dlt/secrets.toml, " in note.message
    assert note.message.endswith(f" and {len(whole | alone) + 1 - checks.MAX_LISTED} more")


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        pytest.param("a/.netrc", {"a/.netrc"}, id="a file"),
        pytest.param("./a/.netrc", {"a/.netrc"}, id="a path with a dot"),
        pytest.param("a/*.pem", {"a/server.pem", "a/both.pem", "a/der.pem"}, id="a pattern"),
        pytest.param("a/.aws/config", {"a/.aws/config"}, id="one of a directory"),
        pytest.param("a/.aws/", {"a/.aws/config", "a/.aws/credentials"}, id="a directory"),
        pytest.param("*.pem", set(), id="one deep only"),
        pytest.param("id_rsa", {"id_rsa"}, id="a link"),
        pytest.param("a", {f"a/{name}" for name in SECRET}, id="a directory with all in it"),
    ],
)
def test_include_insists(tmp_path: Path, include: str, expected: set[str]) -> None:
    paths, loaded = project(tmp_path, f'{{include: ["{include}"]}}')
    assert entered(paths, loaded) - {f"b/{name}" for name in PUBLIC} == expected


def test_exclude_has_the_last_word(tmp_path: Path) -> None:
    paths, loaded = project(tmp_path, "{include: [a], exclude: [a/.netrc, b]}")
    assert entered(paths, loaded) == {f"a/{name}" for name in SECRET} - {"a/.netrc"}
    assert context.credential_files(paths, loaded) == ("id_rsa",)


def test_whether_a_path_enters(tmp_path: Path) -> None:
    paths, loaded = project(tmp_path, "{include: [a/.aws/config]}")
    names = ("a/.aws/config", "a/.aws/credentials", "a/.aws", "a/.ssh/config", "b/ca-bundle.pem", "a/server.pem")
    assert [context.enters_image(paths, loaded, name) for name in names] == [True, False, True, False, True, False]
