"""A real registry behind ECR's name: ACCOUNT.dkr.ecr.REGION.amazonaws.com, with TLS, a login, and ECR's own rules.

`docker-registry` keeps what is pushed. Before it stands a proxy that speaks TLS, wants the token of
GetAuthorizationToken, lets nobody push to a repository that the API does not know or over an immutable tag, and tells
moto of each manifest, so that both always know the same images. What the API has deleted cannot be pulled.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doubles.containers import serve_registry
from doubles.http_server import BLOCK, Handler, Server, forward, in_thread
from doubles.moto_bucket import REGION
from doubles.moto_proxy import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doubles.moto_proxy import MotoProxy, Request

SECURE, PLAIN = 443, 80
DOMAIN = f"dkr.ecr.{REGION}.amazonaws.com"
TARGET = "AmazonEC2ContainerRegistry_V20150921"
MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/?]+)")
LAYER = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")
LARGE_LAYER = 10_000_000  # bytes; docker looks for smaller ones only where it has pushed them itself
NAME = re.compile(r"/v2/(?P<name>.+?)/(manifests|blobs|tags)/")
PASSED = ("content-type", "accept", "content-range", "range")
RETURNED = ("content-type", "docker-content-digest", "docker-upload-uuid", "range", "content-range", "etag")


@dataclass
class Registry:
    """Where it listens, and faults that tests ask for."""

    moto_proxy: MotoProxy
    behind: str
    storage: Path
    accounts: list[str]
    cuts: Counter[str] = field(default_factory=Counter)
    denials: Counter[str] = field(default_factory=Counter)

    def next(self) -> str:
        """An account that nobody has yet."""
        return self.accounts.pop()

    def cut_pushes(self, account: str, times: int) -> None:
        """Break off that many uploads of an account in the middle; docker tries each five times, for 50 seconds."""
        self.cuts[account] += times

    def deny_manifests(self, account: str, times: int = 1) -> None:
        """Take all layers of that many pushes and not the image: it is pushed by half."""
        self.denials[account] += times

    def denies_now(self, account: str) -> bool:
        """Whether this manifest is one of them."""
        self.denials[account] -= 1
        return self.denials[account] >= 0

    def cuts_now(self, account: str) -> bool:
        """Whether this upload is one of them."""
        self.cuts[account] -= 1
        return self.cuts[account] >= 0

    def ask(self, account: str, operation: str, **body: Any) -> Any:
        """Ask moto's ECR, as an account."""
        return self.moto_proxy.ask(account, REGION, "ecr", f"{TARGET}.{operation}", body)

    def image(self, account: str, name: str, reference: str) -> Any:
        """The image that ECR has by a tag or digest, or None."""
        kind = "imageDigest" if ":" in reference else "imageTag"
        try:
            return self.ask(account, "DescribeImages", repositoryName=name, imageIds=[{kind: reference}])[
                "imageDetails"
            ][0]
        except (Refused, IndexError):
            return None

    def repository(self, account: str, name: str) -> Any:
        """The repository, or None."""
        try:
            return self.ask(account, "DescribeRepositories", repositoryNames=[name])["repositories"][0]
        except Refused:
            return None

    def describe_images(self, request: Request) -> Any:
        """Moto's answer, but the size is that of the layers."""
        said = request.send()
        for image in said["imageDetails"]:
            image["imageSizeInBytes"] = self._size(request.account, image["repositoryName"], image["imageDigest"])
        return said

    def share_layer(self, account: str, name: str, digest: str) -> None:
        """Have a repository hold a large layer that any other has, in the way the registry stores it.

        docker looks for such a layer before it compresses and sends it, which takes seconds for that of a base image.
        """
        stored, number = self.storage / "docker/registry/v2", digest.removeprefix("sha256:")
        layer = stored / "blobs/sha256" / number[:2] / number / "data"
        if layer.exists() and layer.stat().st_size > LARGE_LAYER:
            link = stored / "repositories" / account / name / "_layers/sha256" / number / "link"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(digest)

    def _size(self, account: str, name: str, digest: str) -> int:
        asked = {"repositoryName": name, "imageIds": [{"imageDigest": digest}]}
        manifest = json.loads(self.ask(account, "BatchGetImage", **asked)["images"][0]["imageManifest"])
        return sum(layer["size"] for layer in manifest.get("layers", ()))

    def keep(self, account: str, name: str, reference: str, manifest: str, media: str, digest: str) -> None:
        """Tell moto of a manifest that was pushed; by its digest, it has no tag."""
        tag = {} if ":" in reference else {"imageTag": reference}
        result = {"imageManifest": manifest, "imageManifestMediaType": media, "imageDigest": digest}
        with contextlib.suppress(Refused):  # it has it already
            self.ask(account, "PutImage", repositoryName=name, **result, **tag)


class Complaint(Exception):  # noqa: N818  # an answer
    """What a registry answers that does not want to."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Handler(Handler):
    registry: Registry

    def answer_request(self) -> None:
        try:
            self._pass_on()
        except Complaint as complaint:
            self.close_connection = True  # what it sends may not have been read
            said = {"errors": [{"code": complaint.code, "message": complaint.message}]}
            login = f'Basic realm="https://{self.headers.get("Host")}/",service="ecr.amazonaws.com"'
            headers = {"WWW-Authenticate": login} if complaint.status == http.client.UNAUTHORIZED else {}
            self.send_json(complaint.status, said, {"Content-Type": "application/json", **headers})
        except ConnectionError:
            self.close_connection = True

    @property
    def account(self) -> str:
        return self.headers.get("Host", "").partition(".")[0]

    def _pass_on(self) -> None:
        self._check_login()
        self._check_repository()
        manifest, layer = MANIFEST.fullmatch(self.path), LAYER.fullmatch(self.path)
        if layer and self.command == "HEAD":
            self.registry.share_layer(self.account, layer["name"], layer["digest"])
        if manifest and self.command in ("GET", "HEAD"):
            self._check_there(manifest["name"], manifest["reference"])
        body = self.read_body() if manifest else b""
        if manifest and self.command == "PUT":
            if self.registry.denies_now(self.account):
                raise Complaint(403, "DENIED", "the test says so")
            self._check_free(manifest["name"], manifest["reference"], body)
        cut = self.command == "PATCH" and self.registry.cuts_now(self.account)
        self._ask_behind(body if manifest else self.read_blocks(), cut=cut, manifest=manifest)

    def _ask_behind(self, body: Any, *, cut: bool, manifest: re.Match[str] | None) -> None:
        headers = {name: self.headers[name] for name in PASSED if name in self.headers}
        asked = self._cut(body) if cut else body
        with forward(self.registry.behind, self.command, self._inside(), asked, headers, timeout=300) as said:
            if manifest and self.command == "PUT" and said.status == http.client.CREATED:
                digest, media = said.getheader("Docker-Content-Digest") or "", headers["content-type"]
                self.registry.keep(self.account, manifest["name"], manifest["reference"], body.decode(), media, digest)
            self._return(said)

    def _return(self, said: http.client.HTTPResponse) -> None:
        headers = {name: value for name in RETURNED if (value := said.getheader(name))}
        if location := said.getheader("Location"):
            path = location[location.index("/v2/") :]  # nobody else finds what is before it
            headers["Location"] = path.replace(f"/v2/{self.account}/", "/v2/", 1)
        headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        self.send_head(said.status, {**headers, "Content-Length": said.getheader("Content-Length") or "0"})
        while self.command != "HEAD" and (read := said.read(BLOCK)):
            self.wfile.write(read)

    def _inside(self) -> str:
        """Where it lies behind: below the account; nothing is mounted from elsewhere."""
        path, _, query = self.path.partition("?")
        kept = "&".join(each for each in query.split("&") if not each.startswith(("mount=", "from=")))
        inside = path if path == "/v2/" else path.replace("/v2/", f"/v2/{self.account}/", 1)
        return f"{inside}?{kept}" if kept else inside

    def _cut(self, body: Iterable[bytes]) -> Iterator[bytes]:
        yield from itertools.islice(body, 1)
        raise ConnectionError

    def _check_login(self) -> None:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        token = self.registry.ask(self.account, "GetAuthorizationToken")["authorizationData"][0]["authorizationToken"]
        if (kind, given) != ("Basic", token):
            raise Complaint(401, "UNAUTHORIZED", "Your authorization token has expired. Reauthenticate and try again.")

    def _check_repository(self) -> None:
        found = NAME.match(self.path)
        if found and not self.registry.repository(self.account, found["name"]):
            message = (
                f"The repository with name '{found['name']}' does not exist in the registry with id '{self.account}'"
            )
            raise Complaint(404, "NAME_UNKNOWN", message)

    def _check_there(self, name: str, reference: str) -> None:
        if not self.registry.image(self.account, name, reference):
            raise Complaint(404, "MANIFEST_UNKNOWN", "Requested image not found")

    def _check_free(self, name: str, reference: str, manifest: bytes) -> None:
        there = self.registry.image(self.account, name, reference)
        kept = self.registry.repository(self.account, name)["imageTagMutability"] == "IMMUTABLE"
        if kept and there and ":" not in reference and there["imageDigest"] != _digest(manifest):
            message = f"The image tag '{reference}' already exists in the '{name}' repository"
            raise Complaint(400, "TAG_INVALID", f"{message} and cannot be overwritten because the tag is immutable.")


def _digest(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def find_names() -> Path | str:
    """Where the docker that answers looks names up (see .ci/docker), or in plain words why it cannot be told any."""
    state = Path(os.environ.get("HANDOFF_DOCKER") or f"{tempfile.gettempdir()}/handoff-docker")
    asked = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    host = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    if host != f"unix://{state}/docker.sock" or not (state / "hosts").exists():
        return "docker here resolves names as this machine does: `.ci/docker stop`, then `export DOCKER_HOST=$(.ci/docker)`"
    if shutil.which("openssl") is None:
        return "there is no program `openssl`, to make the registry's certificate: install it"
    return state


@contextlib.contextmanager
def serve_ecr(
    moto_proxy: MotoProxy, directory: Path, storage: Path, state: Path, accounts: list[str]
) -> Iterator[Registry]:
    """The registry of some accounts, where docker finds it; others may share its storage."""
    hosts = tuple(f"{account}.{DOMAIN}" for account in accounts)
    certificate = _certificate(directory)
    with serve_registry(directory, storage=storage) as behind:
        registry = Registry(moto_proxy, behind, storage, accounts)
        moto_proxy.register("ecr", {"DescribeImages": registry.describe_images})
        handler = type("Handler", (_Handler,), {"registry": registry})
        with contextlib.ExitStack() as stack:
            secure, plain = [stack.enter_context(server) for server in _listening(handler)]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
            stack.enter_context(in_thread(secure))
            stack.enter_context(in_thread(plain))
            stack.enter_context(_named(state, hosts, str(secure.server_address[0]), certificate))
            yield registry


def _listening(handler: type[Handler]) -> list[Server]:
    """On a loopback address that no other session has; docker asks it without TLS as well where it was refused."""
    for _ in range(100):
        address = f"127.{random.randint(64, 127)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with contextlib.suppress(OSError):
            return [Server((address, port), handler) for port in (SECURE, PLAIN)]
    raise AssertionError(f"no loopback address lets us listen on {SECURE}: are we root?")


def _certificate(directory: Path) -> Path:
    """A key and a certificate that is its own authority, in one file."""
    key, made = directory / "key.pem", directory / "ca.crt"
    asked = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    about = ["-days", "2", "-subj", "/CN=handoff test", "-addext", f"subjectAltName=DNS:*.{DOMAIN}"]
    subprocess.run([*asked, *about, "-keyout", key, "-out", made], check=True, capture_output=True)
    both = directory / "both.pem"
    both.write_text(key.read_text() + made.read_text())
    return both


@contextlib.contextmanager
def _named(state: Path, hosts: tuple[str, ...], address: str, certificate: Path) -> Iterator[None]:
    """Tell docker the names and whom to trust; afterwards it has forgotten both."""
    lines = [f"{address} {host}\n" for host in hosts]
    trusted = certificate.with_name("ca.crt").read_text()
    for host in hosts:
        (state / "certs.d" / host).mkdir()
        (state / "certs.d" / host / "ca.crt").write_text(trusted)
    _rewrite(state, lambda kept: [*kept, *lines])
    try:
        yield
    finally:
        _rewrite(state, lambda kept: [line for line in kept if line not in lines])
        for host in hosts:
            shutil.rmtree(state / "certs.d" / host)


def _rewrite(state: Path, change: Any) -> None:
    """In place: another file would not be the one that is mounted."""
    with (state / "hosts").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = change(file.readlines())
        file.seek(0)
        file.writelines(lines)
        file.truncate()


def login(config: Path, registry: Registry, account: str) -> None:
    """What `docker login` leaves in a DOCKER_CONFIG."""
    token = registry.ask(account, "GetAuthorizationToken")["authorizationData"][0]["authorizationToken"]
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.json").write_text(json.dumps({"auths": {f"{account}.{DOMAIN}": {"auth": token}}}))
