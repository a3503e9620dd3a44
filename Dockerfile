# The whole appliance as one image. docs/image.md says how it is built, run and kept.
#
#   docker build -t appliance .
#   docker run -d -p 443:8443 -p 80:8080 -v data:/data appliance
#
# BuildKit builds it (before Docker 23: DOCKER_BUILDKIT=1). Behind a proxy, Docker's own build arguments HTTP_PROXY
# and HTTPS_PROXY reach apt and pip; `--secret id=ca,src=FILE` is the certificate authority of one that opens TLS, and
# `--secret id=pip,src=FILE` a pip.conf. Neither stays in the image.
# Debian's packages are not pinned, so that each build has its security updates:
# hadolint global ignore=DL3008
ARG BASE=debian:bookworm-slim
# The embedded database: mongod, from MongoDB's own repository, for production; or secantusdb, a trial, from the Python index.
ARG MONGO=secantusdb

# --- The servers of others, and Python.
FROM ${BASE} AS servers-secantusdb
ENV LANG=C.UTF-8
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates nginx-light python3 redis-server \
    prometheus prometheus-alertmanager prometheus-node-exporter prometheus-redis-exporter \
 && apt-get clean && rm -rf /var/lib/apt/lists/*

# --- MongoDB's key: what the address gives must hold the key of this fingerprint, and no other is taken.
FROM servers-secantusdb AS mongodb-key
ARG MONGODB_KEY=https://pgp.mongodb.com/server-8.0.asc
ARG MONGODB_FINGERPRINT=4B0752C1BCA238C0B4EE14DC41DE058A4E7DCA05
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends curl gnupg
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export CURL_CA_BUNDLE=/run/secrets/ca; fi \
 && curl -fsSL --retry 3 -o /tmp/key "$MONGODB_KEY" \
 && gpg --batch --quiet --import /tmp/key \
 && gpg --batch --export "$MONGODB_FINGERPRINT" > /mongodb.gpg \
 && { [ -s /mongodb.gpg ] || { echo "$MONGODB_KEY does not hold the key $MONGODB_FINGERPRINT" >&2; exit 1; }; }

FROM servers-secantusdb AS servers-mongod
ARG MONGODB_REPOSITORY="https://repo.mongodb.org/apt/debian bookworm/mongodb-org/8.0 main"
COPY --from=mongodb-key /mongodb.gpg /usr/share/keyrings/mongodb.gpg
RUN --mount=type=secret,id=ca \
    echo "deb [signed-by=/usr/share/keyrings/mongodb.gpg] $MONGODB_REPOSITORY" > /etc/apt/sources.list.d/mongodb.list \
 && if [ -s /run/secrets/ca ]; then set -- -o Acquire::https::CaInfo=/run/secrets/ca; fi \
 && apt-get "$@" update \
 && DEBIAN_FRONTEND=noninteractive apt-get "$@" install -y --no-install-recommends mongodb-org-server \
 && apt-get clean && rm -rf /var/lib/apt/lists/*

# hadolint ignore=DL3006
FROM servers-${MONGO} AS servers

# --- The Python environments, as ./scripts/up makes them: .venv, and .venv-mongo where there is no mongod.
FROM servers AS built
WORKDIR /opt/appliance
COPY scripts/setup scripts/
COPY deploy/requirements/runtime.txt deploy/requirements/mongo.txt deploy/requirements/
COPY appliance/__init__.py appliance/errors.py appliance/setting_kinds.py appliance/settings.py appliance/vault.py appliance/
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip,target=/etc/pip.conf \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
 && scripts/setup runtime \
 && for venv in .venv*; do "$venv/bin/python" -m pip uninstall -q -y pip setuptools; done
COPY appliance appliance/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash appliance && rm -r deploy scripts

# --- What runs.
FROM servers
RUN groupadd --gid 10001 appliance \
 && useradd --uid 10001 --gid appliance --home-dir /data --no-create-home --shell /usr/sbin/nologin appliance \
 && install -d -m 700 -o appliance -g appliance /data \
 && ln -s /opt/appliance/scripts/appliance /opt/appliance/scripts/supervisorctl /usr/local/bin/
WORKDIR /opt/appliance
COPY --from=built /opt/appliance/ ./
COPY docs/licences docs/licences/
COPY deploy/prometheus deploy/prometheus/
COPY scripts/appliance scripts/supervisorctl scripts/
COPY nginx.conf supervisord.conf ./
LABEL org.opencontainers.image.title="appliance" \
      org.opencontainers.image.description="A whole forms platform on one machine"
ENV APPLIANCE_DATA=/data \
    APPLIANCE_BIND=0.0.0.0,::
USER 10001:10001
VOLUME /data
EXPOSE 8080 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=15s --start-period=60s --retries=3 CMD ["appliance", "healthcheck"]
CMD ["appliance", "up"]
