# The image around a static binary that is built already; the folder given to `docker build` holds it as `pilotlight`,
# beside an empty folder `data`.
# `cargo xtask image` does all of it; Dockerfile builds the same from the sources.

FROM scratch
COPY pilotlight /pilotlight
COPY --chown=65532:65532 data /data
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
