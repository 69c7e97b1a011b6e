# One image for every role: docker build -t foldlog:0.1.0 .
FROM debian:12 AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends build-essential cmake ninja-build pkg-config \
        librdkafka-dev libpq-dev libmicrohttpd-dev libjansson-dev check libcurl4-openssl-dev uuid-dev libsodium-dev \
        libjose-dev python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cmake --preset release && cmake --build --preset release --target foldlog payment-sandbox

FROM debian:12-slim
# A volume that is mounted where its snapshots lie takes the folder's owner and mode.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends librdkafka1 libpq5 libmicrohttpd12 libjansson4 \
        libcurl4 libuuid1 libsodium23 libjose0 curl ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/foldlog --create-home foldlog \
    && install -d -m 0700 -o foldlog /var/lib/foldlog/snapshots
COPY --from=build /src/build/release/app/foldlog /src/build/release/sandbox/payment-sandbox /usr/local/bin/
COPY deploy/make-keys.sh /usr/local/share/foldlog/
USER 10001
WORKDIR /var/lib/foldlog
EXPOSE 8080 9464
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s CMD ["foldlog", "health"]
ENTRYPOINT ["foldlog"]
CMD ["run"]
