# Builds the image from an existing static binary. The folder given to `docker build` contains the binary as
# `pilotlight` and an empty folder `data`. `cargo xtask image` prepares that folder and runs the build. Dockerfile
# builds the same image from the sources.

FROM scratch
COPY pilotlight /pilotlight
COPY --chown=65532:65532 data /data
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
