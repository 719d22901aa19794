# Builds the image from the sources. It needs only Docker:
#
#     docker build --tag pilotlight .
#
# `cargo xtask image` builds the same image with deploy/prebuilt.Dockerfile, from a binary that cargo builds on this
# machine.

FROM rust:1.95 AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends musl-tools \
 && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /sources
COPY . .
RUN cargo build --locked --release --package pilotlight --bin pilotlight --target "$(uname -m)-unknown-linux-musl" \
 && mv "target/$(uname -m)-unknown-linux-musl/release/pilotlight" /pilotlight \
 && mkdir /data

# The rest equals deploy/prebuilt.Dockerfile, except for the source of the binary.
FROM scratch
COPY --from=build /pilotlight /pilotlight
COPY --from=build --chown=65532:65532 /data /data
LABEL org.opencontainers.image.title="Pilotlight" \
      org.opencontainers.image.description="Keeps work from ever starting cold." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# A numeric id, because orchestrators cannot see from a name that the user is not root.
USER 65532:65532
# No other container reaches a container's loopback address, so the service listens on every interface. The network is
# the container's own.
ENV HOST=0.0.0.0
# The only folder that the service writes: jobs and their results, owned by the user above. Use a named volume to keep
# them.
ENV PILOTLIGHT_SERVER_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# `pilotlight health` itself ends within 3 s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/pilotlight", "health"]
ENTRYPOINT ["/pilotlight"]
CMD ["serve"]
