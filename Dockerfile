# The whole image from the sources, for who has nothing but Docker:
#
#     docker build --tag pilotlight .
#
# `cargo xtask image` makes the same image of a binary that is built here, with deploy/prebuilt.Dockerfile.

FROM rust:1.95 AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends musl-tools \
 && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /sources
COPY . .
RUN cargo build --locked --release --package pilotlight --bin pilotlight --target "$(uname -m)-unknown-linux-musl" \
 && mv "target/$(uname -m)-unknown-linux-musl/release/pilotlight" /pilotlight \
 && mkdir /data

# From here on the same as in deploy/prebuilt.Dockerfile, but for where the binary comes from.
FROM scratch
COPY --from=build /pilotlight /pilotlight
COPY --from=build --chown=65532:65532 /data /data
LABEL org.opencontainers.image.title="Pilotlight" \
      org.opencontainers.image.description="Keeps work from ever starting cold." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# A number, so that orchestrators can tell that it is not root.
USER 65532:65532
# Inside a container loopback is nobody's: every interface, on a network that is the container's own.
ENV HOST=0.0.0.0
# The one place that is written to, by the user above: jobs and their results. Give it a volume with a name to keep them.
ENV PILOTLIGHT_SERVER_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# The command itself ends within 3 s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/pilotlight", "health"]
ENTRYPOINT ["/pilotlight"]
CMD ["serve"]
