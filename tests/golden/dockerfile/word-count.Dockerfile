# Rendered for projects/word-count by `invoke render`, which writes it anew: change Dockerfile.j2 or project.yml.
# One stage for each venv, so that a change of one makes no other anew; nothing of them but the venv stays.
# hadolint is told of two rules. RUNs are not joined (DL3059): a shell would have to read what are values here. Debian
# packages have the versions that project.yml gives them (DL3008): Debian keeps the newest alone, so most have none.
# hadolint global ignore=DL3008,DL3059

FROM python:3.11-slim AS builder
ARG PIP_INDEX_URL="" PIP_EXTRA_INDEX_URL="" UV_DEFAULT_INDEX="" UV_EXTRA_INDEX_URL="" UV_INDEX="" UV_INDEX_URL="" UV_INDEX_STRATEGY="first-index"
COPY builder/uv.txt /builder/
RUN ["python", "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-cache-dir", "--require-hashes", "--target", "/builder/uv", "-r", "/builder/uv.txt"]
ENV UV_NO_CACHE="1" UV_PYTHON_DOWNLOADS="never" UV_LINK_MODE="copy" UV_NO_PROGRESS="1" PYC_INVALIDATION_MODE="UNCHECKED_HASH"
WORKDIR /app

# The runtime in an environment of its own: what it needs never meets what the stages need.
FROM builder AS runtime
RUN ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python", "/opt/handoff"]
COPY builder/fill.py builder/boto3.txt /builder/
RUN ["/builder/uv/bin/uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", "/opt/handoff", "--require-hashes", "-r", "/builder/boto3.txt"]
RUN ["/opt/handoff/bin/python", "/builder/fill.py", "keep", "s3", "secretsmanager", "signin", "ssm", "sso", "sso-oidc", "sts"]
COPY handoff_runtime/ /builder/handoff_runtime/
RUN ["/opt/handoff/bin/python", "/builder/fill.py", "add", "/builder/handoff_runtime"]

FROM python:3.11-slim
RUN ["python", "-c", "open('/etc/passwd', 'a').write('handoff:x:10001:10001::/tmp:/bin/false\\n')"]

WORKDIR /app
COPY --chown=10001:10001 volumes/ /app/
COPY --from=runtime /opt/handoff /opt/handoff
COPY project/ /app/

ENV PATH="/opt/handoff/bin:$PATH" HOME="/tmp" LANG="C.UTF-8"
VOLUME ["/app/.env", "/app/.artifacts", "/tmp"]
USER 10001:10001
STOPSIGNAL SIGTERM
ARG REVISION CONTEXT BASE
LABEL org.opencontainers.image.title="word-count" org.opencontainers.image.revision="$REVISION" org.opencontainers.image.base.name="python:3.11-slim" handoff.project="word-count" handoff.version="VERSION" handoff.context="$CONTEXT" handoff.base="$BASE"
ENTRYPOINT ["python", "/opt/handoff/handoff_runtime/start.py"]
