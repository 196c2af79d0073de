import { quoteLiteral } from '../postgres/identifiers.ts'
import { plural, size } from '../report/numbers.ts'
import type { Manifest, ManifestSource } from './manifest.ts'
import { localeClause, quoteForShell } from './restore-text.ts'

/**
 * RESTORE.md of a backup: what it is, and how to restore it without pgveil, with restore.sh or by hand.
 *
 * @param manifest with all objects but restore.sh and RESTORE.md
 */
export function restoreReadme(manifest: Manifest): string {
  return [
    `# Restoring ${manifest.label}`,
    '',
    'This directory is a sealed backup of a PostgreSQL database, made by pgveil. You do not need pgveil to restore it:',
    'gpg, zstd and psql are enough. Work through the sections in order.',
    '',
    ...whatItIs(manifest),
    ...whatYouNeed(manifest),
    FETCH,
    CHECK_FIRST,
    ...halves(manifest),
    RUN_SCRIPT,
    ERASURES,
    ...byHand(manifest),
    ...whatIsMissing(manifest),
  ].join('\n')
}

function whatItIs(manifest: Manifest): string[] {
  const { source, seal, tables, objects, largeObjects, tool } = manifest
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  const stored = objects.reduce((sum, { size }) => sum + size, 0)
  const content = objects.reduce((sum, object) => sum + (object.content ?? 0), 0)
  const onDisk = tables.reduce((sum, { bytes }) => sum + bytes, 0)
  const sides = seal.sides.flatMap(({ name, recipients }) => [
    `- Side ${code(name)}, any one of these keys opens ${code(`envelopes/${name}.asc`)}, or the one with the highest number behind the name where custodians have changed since:`,
    ...recipients.map((fingerprint) => `  - ${code(fingerprint)}`),
  ])
  return [
    '## What it is',
    '',
    `- Database ${code(source.database)} as it stood at ${source.time} (write-ahead log ${code(source.lsn)})`,
    `- PostgreSQL ${code(source.version)}, encoding ${code(source.encoding)}, collation ${code(source.locale ?? source.collate)}`,
    `- ${plural(tables.length, 'table')}, ${plural(rows, 'row')}, ${plural(largeObjects.count, 'large object')}`,
    `- ${size(stored)} in ${plural(objects.length, 'object')} here, ${size(content)} as text, ${size(onDisk)} of tables on the source without their indexes`,
    `- Made by ${code(tool)}, number ${manifest.sequence} of ${code(manifest.name)}, after ${manifest.previous ? code(manifest.previous.label) : 'none'}`,
    ...sides,
    '',
  ]
}

function whatYouNeed({ source }: Manifest): string[] {
  const extensions = Object.keys(source.extensions)
  return [
    '## What you need',
    '',
    '- `gpg` 2.2 or newer, `zstd`, `psql` 14 or newer, `sha256sum` (or `shasum`)',
    `- a server of PostgreSQL ${Math.floor(source.versionNumber / 10_000)} or newer, and a superuser on it or whoever may make databases and own everything in them`,
    ...(extensions.length > 0
      ? [`- these extensions installed on it: ${extensions.map(code).join(', ')}`]
      : []),
    '- the public key of the backup host, here `signing.asc`, **from you and not from where this backup lay**',
    '- the halves of the secret, below',
    '',
  ]
}

const FETCH = `## 1. Fetch the whole directory

\`\`\`sh
aws s3 cp --recursive s3://BUCKET/PREFIX/LABEL/ LABEL/     # or: rclone copy REMOTE:BUCKET/PREFIX/LABEL LABEL
aws s3 cp --recursive s3://BUCKET/PREFIX/erasures/ erasures/     # where there is one: see 5
cd LABEL
\`\`\`
`

const CHECK_FIRST = `## 2. Check the signature and restore.sh, before you run anything

Whoever could change this directory could change restore.sh and this page as well. So check by hand first:

\`\`\`sh
gpg --show-keys signing.asc                 # the fingerprint must be the one that you have on file
check=$(mktemp -d)
gpg --homedir "$check" --import signing.asc
gpg --homedir "$check" --verify manifest.json.asc manifest.json       # must say: Good signature
sed -n 's/^{"name":"\\(restore.sh\\)","size":[0-9]*,"sha256":"\\([0-9a-f]*\\)".*/\\2  \\1/p' manifest.json | sha256sum -c
\`\`\`

The last line must print \`restore.sh: OK\`. (A warning that the key is not certified is of no matter: you have compared
its fingerprint.) If anything else is said, stop, and take another copy of the backup.
`

function halves({ seal }: Manifest): string[] {
  const [first, second] = seal.sides
  if (!first) return []
  const example = second ?? first
  const whole = second
    ? `The passphrase of every object is the half of side ${code(first.name)} followed by the half of side ${code(second.name)}, 86 characters together. One half opens nothing.`
    : `This backup has one side. Its envelope holds the whole passphrase of 86 characters.`
  return [
    '## 3. Bring the halves together',
    '',
    whole,
    'restore.sh asks your gpg, its agent or card, to open the envelopes. Where a custodian is elsewhere:',
    '',
    `1. send them ${code(`envelopes/${example.name}.asc`)}, which is half a kilobyte and of no use to anybody else;`,
    `2. they run ${code(`gpg --decrypt ${example.name}.asc`)}, on the machine that their key never leaves, and send the line that comes out to you alone;`,
    `3. you type it when restore.sh asks, or put it into a file and add ${code(`--half ${example.name}=FILE`)}.`,
    '',
    'restore.sh compares each half with the SHA-256 in the manifest and says whose is wrong.',
    '',
  ]
}

const RUN_SCRIPT = `## 4. Run restore.sh

\`\`\`sh
sh restore.sh --signer /path/to/signing.asc --check-only        # opens everything, touches no server
PGHOST=127.0.0.1 PGUSER=postgres sh restore.sh --signer /path/to/signing.asc --database NAME
\`\`\`

Passwords for the server come from \`~/.pgpass\`. There must be no database of that name. restore.sh works in
\`NAME_restoring\` and renames it at the very end: if it stops, that one is incomplete; drop it and run it again.
\`sh restore.sh --help\` tells the rest.
`

const ERASURES = `## 5. Persons who were erased since

They must not come back. Where \`erasures/\` lies beside this directory, it is the ledger of them, and restore.sh wants its
secret, which is what \`erasure.secret\` of pgveil.yaml names; it checks the ledger, and removes them and what refers to
them from the restored database before that gets its name:

\`\`\`sh
sh restore.sh --signer /path/to/signing.asc --database NAME --erasure-secret /path/to/secret     # ledger elsewhere: --erasures DIR
\`\`\`

Where restore.sh finds no ledger it says so, and restores: from this directory alone nobody can tell whether the store has
one. So look there for \`erasures/\` before you believe that nobody was erased.

Whoever restores by hand, as below, has to erase them by hand.
`

function byHand({ source, seal, objects }: Manifest): string[] {
  const [first, second] = seal.sides
  const open = [first, second].flatMap((side, i) =>
    side ? [`half_${i + 1}=$(gpg --decrypt 'envelopes/${side.name}.asc')`] : [],
  )
  const encoding = source.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'
  const largeObjects = objects
    .filter(({ name }) => name.startsWith('large-objects.'))
    .slice(0, 1)
    .map(
      ({ name }) => `open ${name} | psql -X -q -v ON_ERROR_STOP=1 >/dev/null      # and any others`,
    )
  const passphrase = second ? '"$half_1$half_2"' : '"$half_1"'
  return [
    '## The same by hand',
    '',
    '```sh',
    '# in bash or dash; halves that were sent to you: half_1=$(cat FILE)',
    ...open,
    `open() { printf '%s\\n' ${passphrase} | gpg --batch --pinentry-mode loopback --passphrase-fd 0 --decrypt "$1" | zstd -dc; }`,
    'open globals.sql.pgp | psql -X -d postgres',
    `psql -X -d postgres -c ${quoteForShell(createSql(source))}`,
    'export PGDATABASE=NAME_restoring',
    'open pre-data.sql.pgp | psql -X -q -v ON_ERROR_STOP=1',
    `open tables/1.1.0.pgp | psql -X -c "SET datestyle = 'ISO, YMD'" -c "SET client_encoding = '${encoding}'" -c 'COPY …'`,
    ...largeObjects,
    'open post-data.sql.pgp | psql -X -q -v ON_ERROR_STOP=1',
    'open settings.sql.pgp | psql -X -q -v ON_ERROR_STOP=1 >/dev/null',
    'psql -X -c ANALYZE',
    '```',
    '',
    'The COPY of each object under `tables/` stands in restore.sh, in a line that begins with `rows`, with the number of rows',
    'that psql must print. Materialized views are refreshed after settings.sql.pgp, in the order in which restore.sh has them;',
    'one that cannot be filled stays empty.',
    '',
  ]
}

/** Where the locale has a name that would not do in a block of code, the server's own is taken. */
function createSql(source: ManifestSource): string {
  const major = Math.min(16, Math.max(14, Math.floor(source.versionNumber / 10_000)))
  const clause = localeClause(source, major as 14 | 15 | 16)
  const start = `CREATE DATABASE "NAME_restoring" TEMPLATE template0 ENCODING ${quoteLiteral(source.encoding)}`
  return /[`\p{C}]/u.test(clause) ? start : `${start} ${clause}`
}

function whatIsMissing({ source, warnings }: Manifest): string[] {
  const lines = [
    '## What is not in it',
    '',
    '- passwords of roles, and roles that the database does not refer to; roles that are missing on the server are made without password:',
    `  ${source.roles.length > 0 ? source.roles.map(code).join(', ') : 'none'}`,
    '- tablespaces: everything comes into the default one',
    '- settings of the server, pg_hba.conf, replication slots; other databases of the same server',
    '',
  ]
  if (warnings.length === 0) return lines
  return [
    ...lines,
    'Warnings while it was made:',
    '',
    ...warnings.map(({ message }) => `- ${code(message)}`),
    '',
  ]
}

/** `text` as code in a line of Markdown, whatever is in it; what cannot be seen is shown as `\u{…}`. */
export function code(text: string): string {
  const line = text.replace(
    /[\p{C}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const pad = longest > 0 || line.trim() !== line || line === '' ? ' ' : ''
  return `${fence}${pad}${line}${pad}${fence}`
}
