# pgveil with PostgreSQL's current client tools: small, and run by a user without rights.
FROM node:24-alpine AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
RUN npx tsc && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-alpine
# pg_dump and psql of the newest version that the distribution has; pgveil falls back to its own pg_dump.
RUN apk add --no-cache postgresql18-client tini \
  && adduser -D -H -u 10001 pgveil
WORKDIR /opt/pgveil
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY masking-rules ./masking-rules
RUN ln -s /opt/pgveil/dist/cli.js /usr/local/bin/pgveil && chmod +x dist/cli.js
USER pgveil
# Rule files and pgveil.yaml are mounted here.
WORKDIR /work
ENTRYPOINT ["/sbin/tini", "--", "pgveil"]
CMD ["--help"]
