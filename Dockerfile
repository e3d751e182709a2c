# Dependencies by the lock file, without those for development and without running any package's scripts.
FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:26-bookworm-slim
WORKDIR /app
ARG COMMIT=unknown
ENV NODE_ENV=production HOST=0.0.0.0 COMMIT=$COMMIT
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY src src
USER node
EXPOSE 3000 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OPS_PORT || 3001}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1: it gets SIGTERM first-hand, and npm, which would swallow it, is not there at run time.
CMD ["node", "src/main.ts"]
