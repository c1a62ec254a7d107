# The hub as an image: `docker run hubex` is `hubex run`; other commands are its arguments.
# Configuration, clients and topology are read from /etc/hubex; keys are overridden by HUBEX_<SECTION>__<KEY>.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
# What runs, and apart from it what builds: only the first goes into the image.
RUN python -m venv /opt/hubex \
 && /opt/hubex/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md LICENSE ./
COPY router router
COPY validators validators
COPY schemas schemas
COPY bench bench
COPY deploy deploy
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/hubex/bin/pip install --no-cache-dir --no-deps --no-index /dist/*.whl \
 && /opt/hubex/bin/hubex schemas check

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin hubex \
 && mkdir /etc/hubex
COPY --from=build /opt/hubex /opt/hubex
ENV PATH=/opt/hubex/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HUBEX_HTTP__HOST=0.0.0.0
WORKDIR /etc/hubex
USER 10001
EXPOSE 9419
# The pages are asked where the hub was told to serve them.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('HUBEX_HTTP__PORT', '9419')}/livez\", timeout=4)"]
ENTRYPOINT ["hubex"]
CMD ["run"]
