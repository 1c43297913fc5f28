# Rendered for projects/shop by `invoke render`, which writes it anew: change Dockerfile.j2 or project.yml.
# One stage for each venv, so that a change of one makes no other anew; nothing of them but the venv stays.
# hadolint is told of two rules. RUNs are not joined (DL3059): a shell would have to read what are values here. Debian
# packages have the versions that project.yml gives them (DL3008): Debian keeps the newest alone, so most have none.
# hadolint global ignore=DL3008,DL3059

FROM registry.example.com:5000/team/python:3.12-slim AS builder
ARG PIP_INDEX_URL="" PIP_EXTRA_INDEX_URL="" UV_DEFAULT_INDEX="" UV_EXTRA_INDEX_URL="" UV_INDEX="" UV_INDEX_URL="" UV_INDEX_STRATEGY="first-index"
COPY builder/uv.txt /builder/
RUN ["python", "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-cache-dir", "--require-hashes", "--target", "/builder/uv", "-r", "/builder/uv.txt"]
RUN ["sh", "-c", "apt-get update && apt-get install --yes --no-install-recommends \"$@\" && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log", "apt-get", "gcc", "g++", "git"]
ENV UV_NO_CACHE="1" UV_PYTHON_DOWNLOADS="never" UV_LINK_MODE="copy" UV_NO_PROGRESS="1" PYC_INVALIDATION_MODE="UNCHECKED_HASH"
WORKDIR /app

# The runtime in an environment of its own: what it needs never meets what the stages need.
FROM builder AS runtime
RUN ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python", "/opt/handoff"]
COPY builder/fill.py builder/boto3.txt /builder/
COPY handoff_runtime/ /builder/handoff_runtime/
RUN ["/opt/handoff/bin/python", "/builder/fill.py", "add", "/builder/handoff_runtime"]

FROM builder AS venv-1
COPY ["locks/tap.txt", "/builder/tap.txt"]
RUN ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python", "venv/tap"]
RUN ["/builder/uv/bin/uv", "pip", "install", "--compile-bytecode", "--python", "venv/tap", "--require-hashes", "-r", "/builder/tap.txt"]

FROM builder AS venv-2
COPY ["locks/git.txt", "/builder/git.txt"]
RUN ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python", "venv/git"]
RUN ["/builder/uv/bin/uv", "pip", "install", "--compile-bytecode", "--python", "venv/git", "-r", "/builder/git.txt"]

FROM builder AS venv-3
COPY ["locks/local.txt", "/builder/local.txt"]
COPY ["project/my-tap", "/app/my-tap"]
COPY ["project/parts/other", "/app/parts/other"]
RUN ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python", "venv/local"]
RUN ["/builder/uv/bin/uv", "pip", "install", "--compile-bytecode", "--python", "venv/local", "-r", "/builder/local.txt"]

FROM builder AS venv-4
COPY ["locks/proc_01.txt", "/builder/proc_01.txt"]
RUN ["/builder/uv/bin/uv", "venv", "--quiet", "--no-project", "--python", "python", "venv/proc_01"]
RUN ["/builder/uv/bin/uv", "pip", "install", "--compile-bytecode", "--python", "venv/proc_01", "--require-hashes", "-r", "/builder/proc_01.txt"]

FROM registry.example.com:5000/team/python:3.12-slim
RUN ["python", "-c", "open('/etc/passwd', 'a').write('handoff:x:10001:10001::/tmp:/bin/false\\n')"]
RUN ["sh", "-c", "apt-get update && apt-get install --yes --no-install-recommends \"$@\" && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log", "apt-get", "jq", "libpq5:arm64", "postgresql-client=15+248"]
RUN ["sh", "-e", "-c", "printf '%s\\n' \"it's $HOME\" > /etc/quoted"]
RUN ["sh", "-e", "-c", "set -u\nln -s /usr/bin/mawk /usr/local/bin/awk\n# a comment\ncat <<EOF\n${PATH}\nEOF\n"]
RUN ["sh", "-e", "-c", "echo 'Grüße, 東京  ' C:\\dir\\ `date` $(date)"]
RUN ["sh", "-e", "-c", "printf \"\\$HOME\\t%s\" # [not a list]"]

WORKDIR /app
COPY --chown=10001:10001 volumes/ /app/
COPY --from=runtime /opt/handoff /opt/handoff
COPY --from=venv-1 ["/app/venv/tap", "/app/venv/tap"]
COPY --from=venv-2 ["/app/venv/git", "/app/venv/git"]
COPY --from=venv-3 ["/app/venv/local", "/app/venv/local"]
COPY --from=venv-4 ["/app/venv/proc_01", "/app/venv/proc_01"]
COPY project/ /app/

ENV PATH="/opt/handoff/bin:$PATH" HOME="/tmp" LANG="C.UTF-8"
VOLUME ["/app/.env", "/app/.artifacts", "/tmp"]
USER 10001:10001
STOPSIGNAL SIGTERM
ARG REVISION CONTEXT BASE
LABEL org.opencontainers.image.title="shop" org.opencontainers.image.revision="$REVISION" org.opencontainers.image.base.name="registry.example.com:5000/team/python:3.12-slim" handoff.project="shop" handoff.version="VERSION" handoff.context="$CONTEXT" handoff.base="$BASE"
ENTRYPOINT ["python", "/opt/handoff/handoff_runtime/start.py"]
