# Dependencies by the lock file, without development dependencies and without running the scripts of packages. Maps, types,
# documentation and tests of the packages are deleted.
FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
# The list of parts (CycloneDX), for scanners that look for vulnerable parts.
RUN npm run --silent sbom
RUN find node_modules -type f \( -name '*.md' -o -name '*.markdown' -o -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.ts' \) -delete \
  && find node_modules -depth -type d \( -name test -o -name tests -o -name __tests__ -o -name .github \) -exec rm -rf {} +

# The base without npm, yarn and documentation, which only builds need. It becomes one layer of the next stage: a deletion in a
# layer of its own would save nothing.
FROM node:26-bookworm-slim AS system
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/yarn* /usr/local/bin/corepack \
    /opt/yarn* /usr/local/include /usr/local/share /usr/local/etc/npmrc /usr/local/*.md /usr/local/LICENSE \
    /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian \
    /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/* /root/.npm /root/.cache /tmp/*
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=dependencies /app/sbom.json ./
COPY package.json ./
COPY src src
ENV NODE_ENV=production
# What Node makes of the sources, kept for every start: without it a start takes half as long again and 20 MB more. It is made as the
# user that runs, whose number is part of its name, and belongs to root afterwards. Without settings the program stops with 78.
ENV NODE_COMPILE_CACHE=/app/.compile-cache
RUN install -d -o 1000 -g 1000 $NODE_COMPILE_CACHE
USER 1000:1000
RUN node src/main.ts 2>/dev/null || [ $? = 78 ]
RUN node -e "for (const file of require('fs').readdirSync('/app/src/ledger')) import('/app/src/ledger/' + file)"
USER root
RUN chown -R root:root $NODE_COMPILE_CACHE && chmod -R a+rX $NODE_COMPILE_CACHE

FROM scratch
COPY --from=system / /
WORKDIR /app
# A number, so that Kubernetes can see that the user is not root.
USER 1000:1000
ARG COMMIT=unknown
ARG VERSION=1.0.0
LABEL org.opencontainers.image.title="freedompay-clients" \
  org.opencontainers.image.description="Creates card clients at FreedomPay and tells the truth about what came of it" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$COMMIT"
# glibc would keep what large bodies held: it raises its threshold for memory that goes straight back after the first of them.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  NODE_ENV=production NODE_COMPILE_CACHE=/app/.compile-cache HOST=0.0.0.0 COMMIT=$COMMIT
EXPOSE 3000 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OPS_PORT || 3001}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1, so that SIGTERM reaches Node. npm would not pass the signal on, and is not in the image.
CMD ["node", "src/main.ts"]
