# A hub in a container. Debian slim: some of the parts have no wheels for Alpine.
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 hub && install -d -o hub -g hub /data
WORKDIR /hub
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY hub hub
COPY connectors connectors
RUN pip install --no-cache-dir -c constraints.txt .
COPY config config
COPY rules rules

USER hub
ENV HUB_DATA=/data HUB_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["hub", "up"]
