# One image for each process: docker build --target api|worker|dashboard|session-manager-sim -t NAME .

FROM node:24-bookworm-slim AS base
# The kernel drops a signal for process 1 that has no handler for it yet: Node alone would not hear a SIGTERM while it starts.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
WORKDIR /sandman

# What is to be installed, and nothing else: a change of a source installs nothing anew. Without devDependencies: npm would
# install those packages of ours that stand among them, the tools for tests and all that they need.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json -delete \
  && npm pkg delete devDependencies --workspaces --include-workspace-root

FROM base AS modules
COPY --from=manifests /sandman ./
COPY deploy/docker/install.sh /

FROM modules AS api-modules
RUN sh /install.sh apps/api
FROM modules AS worker-modules
RUN sh /install.sh apps/worker
FROM modules AS dashboard-modules
RUN sh /install.sh apps/dashboard
FROM modules AS session-manager-sim-modules
RUN sh /install.sh apps/session-manager-sim

# Whatever else differs, all of them run like this.
FROM base AS runtime
ENV NODE_ENV=production
COPY deploy/docker/healthcheck.ts /
COPY packages packages
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version=$VERSION \
  org.opencontainers.image.revision=$REVISION \
  org.opencontainers.image.vendor="Sandman" \
  org.opencontainers.image.licenses="MIT"
# By its number: Kubernetes cannot tell that a name is not root's.
USER 1000:1000
ENTRYPOINT ["tini", "--"]

FROM runtime AS api
COPY --from=api-modules /sandman/node_modules node_modules
COPY apps/api apps/api
LABEL org.opencontainers.image.title="sandman-api" \
  org.opencontainers.image.description="Takes activity, and whatever else callers ask for, over HTTP"
EXPOSE 3000
HEALTHCHECK --interval=3s --timeout=3s --start-period=30s --retries=3 CMD ["node", "/healthcheck.ts", "PORT", "3000", "/readyz"]
CMD ["node", "apps/api/src/main.ts"]

FROM runtime AS worker
COPY --from=worker-modules /sandman/node_modules node_modules
COPY apps/worker apps/worker
LABEL org.opencontainers.image.title="sandman-worker" \
  org.opencontainers.image.description="Puts pods to sleep, wakes and deletes them when it is time"
EXPOSE 9464
HEALTHCHECK --interval=3s --timeout=3s --start-period=30s --retries=3 CMD ["node", "/healthcheck.ts", "METRICS_PORT", "9464", "/readyz"]
CMD ["node", "apps/worker/src/main.ts"]

FROM runtime AS dashboard
COPY --from=dashboard-modules /sandman/node_modules node_modules
COPY apps/dashboard apps/dashboard
LABEL org.opencontainers.image.title="sandman-dashboard" \
  org.opencontainers.image.description="The operators' page, and Bull Board"
EXPOSE 3001
HEALTHCHECK --interval=3s --timeout=3s --start-period=30s --retries=3 CMD ["node", "/healthcheck.ts", "DASHBOARD_PORT", "3001", "/readyz"]
CMD ["node", "apps/dashboard/src/main.ts"]

# For trying out and for tests: it keeps its pods in memory, and none of them is real.
FROM runtime AS session-manager-sim
COPY --from=session-manager-sim-modules /sandman/node_modules node_modules
COPY apps/session-manager-sim apps/session-manager-sim
LABEL org.opencontainers.image.title="sandman-session-manager-sim" \
  org.opencontainers.image.description="A simulated session-manager"
EXPOSE 4000
HEALTHCHECK --interval=3s --timeout=3s --start-period=30s --retries=3 CMD ["node", "/healthcheck.ts", "SIM_PORT", "4000", "/healthz"]
CMD ["node", "apps/session-manager-sim/src/main.ts"]
