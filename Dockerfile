# Dependencies by the lock file, without those for development and without running any package's scripts.
FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
# What is in the image, for those who look for vulnerable parts (CycloneDX).
RUN npm run --silent sbom

FROM node:26-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0
# glibc would keep what large bodies held: it raises its threshold for memory that goes straight back after the first of them.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
COPY --from=dependencies /app/node_modules node_modules
COPY --from=dependencies /app/sbom.json ./
COPY package.json ./
COPY src src
# What Node makes of the sources, kept for every start: without it a start takes half as long again and 20 MB more. It is made as the
# user that runs, whose number is part of its name, and belongs to root afterwards. Without settings the program stops with 78.
ENV NODE_COMPILE_CACHE=/app/.compile-cache
RUN install -d -o node $NODE_COMPILE_CACHE
USER node
RUN node src/main.ts 2>/dev/null || [ $? = 78 ]
RUN node -e "for (const name of ['memory', 'sqlite', 'redis']) import('/app/src/ledger/' + name + '.ts')"
USER root
RUN chown -R root:root $NODE_COMPILE_CACHE && chmod -R a+rX $NODE_COMPILE_CACHE
USER node
ARG COMMIT=unknown
ENV COMMIT=$COMMIT
EXPOSE 3000 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OPS_PORT || 3001}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1: it gets SIGTERM first-hand, and npm, which would swallow it, is not there at run time.
CMD ["node", "src/main.ts"]
