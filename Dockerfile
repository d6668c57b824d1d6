# An image of the edge. It runs as a normal user with a read-only root, and wants room for its memory tier:
#
#   docker build -t moovedge .
#   docker run --read-only --tmpfs /tmp --shm-size 1g -p 8080:8080 -v ~/films:/films:ro moovedge serve /films
FROM node:22-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN npm ci --no-audit --no-fund \
 && mkdir /packed \
 && npm pack --pack-destination /packed \
 && npm install --global --prefix /installed --omit=dev --no-audit --no-fund /packed/moovedge-*.tgz \
 && find /installed/lib/node_modules/moovedge/node_modules/uWebSockets.js/dist/bin -name '*.node' ! -name 'uws_linux_*' -delete

FROM node:22-bookworm-slim
COPY --from=build /installed/lib/node_modules/moovedge /usr/lib/moovedge
RUN ln -s ../lib/moovedge/dist/cli.js /usr/bin/moovedge \
 && install -d -o node -g node /var/cache/moovedge
# The user `node` of the image, by number, so that Kubernetes sees that it is not root.
USER 1000:1000
VOLUME /var/cache/moovedge
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8081/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["moovedge"]
CMD ["serve"]
