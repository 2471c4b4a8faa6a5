# Accord 川渝互认
#   docker build -t accord .
#   docker run -p 127.0.0.1:8000:8000 -v accord:/var/lib/accord accord
# The installing steps are replayed without a container by tests/packaging/test_dockerfile.py.

FROM python:3.11-slim AS build
# A mirror may be named when building (--build-arg PIP_INDEX_URL=...): the hashes decide what is accepted.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/accord \
    && /opt/accord/bin/pip install --quiet --require-hashes -r requirements.lock
COPY LICENSE pyproject.toml ./
COPY app ./app
COPY keys ./keys
COPY migrations ./migrations
COPY registry ./registry
RUN /opt/accord/bin/pip install --quiet --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/accord --create-home --shell /usr/sbin/nologin accord
COPY --from=build /opt/accord /opt/accord
ENV PATH=/opt/accord/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ACCORD_HOME=/var/lib/accord
USER accord
WORKDIR /var/lib/accord
VOLUME /var/lib/accord
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["accord", "serve", "--host", "0.0.0.0", "--port", "8000"]
