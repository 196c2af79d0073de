# pgveil with PostgreSQL's current client tools: small, and run by a user without rights.
FROM node:24-alpine AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.mjs scripts/bootstrap.mjs ./scripts/
COPY src ./src
RUN node scripts/build.mjs && npm prune --omit=dev --ignore-scripts --no-audit --no-fund
# zstd comes built for both libcs; on x64 their names do not tell the loader which is which, and it would fall back to
# WebAssembly, at a fraction of the speed.
RUN rm -f node_modules/@cloudpss/zstd/prebuilds/*/*glibc*.node \
  && node --input-type=module -e "import { TYPE } from '@cloudpss/zstd'; process.exit(TYPE === 'napi' ? 0 : 1)"

FROM node:24-alpine
# Backup and restore need no gpg, but for custodians' keys in its keyring or on a card: --build-arg GNUPG=gnupg
ARG GNUPG=""
# pg_dump and psql of the newest version that the distribution has; pgveil falls back to its own pg_dump.
RUN apk add --no-cache postgresql18-client tini ${GNUPG} \
  && adduser -D -H -u 10001 pgveil
WORKDIR /opt/pgveil
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY masking-rules ./masking-rules
RUN ln -s /opt/pgveil/dist/cli.js /usr/local/bin/pgveil && chmod +x dist/cli.js
USER pgveil
# Rule files, pgveil.yaml and public keys are mounted here.
WORKDIR /work
ENTRYPOINT ["/sbin/tini", "--", "pgveil"]
CMD ["--help"]
