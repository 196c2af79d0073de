/**
 * The first of the parts of restore.sh that are the same in every backup, up to the passphrase: POSIX sh for dash,
 * busybox and bash. What stands before it sets the facts of one backup and defines `restore_rows`, see
 * restore-script.ts.
 *
 * Secrets: halves and passphrase are shell variables that are never exported. They leave the shell only through the
 * printf that is built into it, by a pipe: no argument, no environment, no file, no here-document (some shells keep
 * these in files).
 */
export const OPEN_SHELL = `
say() {
  printf 'restore.sh: %s\\n' "$*" >&2
}

# Exit code, message, and what can be done about it.
fail() {
  say "error: $2"
  [ $# -lt 3 ] || say "hint: $3"
  exit "$1"
}

usage() {
  cat <<'END'
usage: sh restore.sh --signer FILE --database NAME [--half SIDE=FILE] [--server CONNECTION]
       sh restore.sh --signer FILE --check-only [--half SIDE=FILE]

  --signer FILE       the public key that has to have signed this backup; from you, not from where the backup lay
  --database NAME     the database to make; there must be none of that name
  --half SIDE=FILE    the half of the secret that the custodians of a side have sent; may be given for each side.
                      Without it gpg is asked to open envelopes/SIDE.asc, and else you are
  --server CONNECTION a connection string without password; without it the variables PGHOST, PGPORT, PGUSER, … count.
                      Passwords come from ~/.pgpass or PGPASSWORD
  --erasures DIR      the ledger of persons who were erased since, as it lay beside the backups; without it ../erasures
  --erasure-secret FILE  the secret of that ledger: wanted where persons of this database are in it
  --check-only        checks everything and opens every object, and restores nothing

Exit codes: 0 done, 2 usage, 12 the server, 14 keys, 15 the backup is damaged or not what was signed, 16 refused.
END
}

wrong_usage() {
  usage >&2
  fail 2 "$@"
}

# A path as it is from the backup's own directory.
absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$started_in" "$1" ;;
  esac
}

read_options() {
  started_in=$PWD
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h)
        usage
        exit 0
        ;;
      --check-only)
        check_only=yes
        shift
        continue
        ;;
      --signer | --database | --half | --server | --erasures | --erasure-secret) ;;
      *) wrong_usage "unknown argument $1" ;;
    esac
    [ $# -gt 1 ] || wrong_usage "$1 needs a value"
    case $1 in
      --signer) signer=$(absolute "$2") ;;
      --database) database=$2 ;;
      --half) take_half "$2" ;;
      --server) take_server "$2" ;;
      --erasures) erasures=$(absolute "$2") ;;
      --erasure-secret) erasure_secret=$(absolute "$2") ;;
    esac
    shift 2
  done
  [ -n "$signer" ] || wrong_usage '--signer is missing'
  [ -n "$database" ] || [ -n "$check_only" ] || wrong_usage '--database is missing'
  building="$database"_restoring
  [ "$(printf '%s' "$building" | wc -c)" -le 63 ] ||
    wrong_usage 'the name of the database is too long: 53 bytes are left of 63, rename it afterwards'
}

take_half() {
  case $1 in
    "$side_1"=?*) half_file_1=$(absolute "\${1#*=}") ;;
    "\${side_2:-$side_1}"=?*) half_file_2=$(absolute "\${1#*=}") ;;
    *) wrong_usage "--half is written SIDE=FILE; sides of this backup: $side_1 $side_2" ;;
  esac
}

# The database in a connection string is left out: which one is connected to is told by PGDATABASE.
take_server() {
  server_rest=\${1#*://}
  server_place=\${server_rest%%[/?]*}
  case $1 in
    *password=*) server_user=: ;;
    *://*@*) server_user=\${server_place%@*} ;;
    *) server_user= ;;
  esac
  case $server_user in
    *:*) wrong_usage 'everybody on this machine sees a password in an argument: use ~/.pgpass or PGPASSWORD' ;;
  esac
  server_query=
  case $server_rest in
    *\\?*) server_query="?\${server_rest#*\\?}" ;;
  esac
  case $1 in
    *dbname=*) wrong_usage 'leave dbname out of --server; --database says what is made' ;;
    *://*) server="postgresql://$server_place/$server_query" ;;
    *=*) server=$1 ;;
    *) wrong_usage '--server is written like postgres://user@host:5432 or host=… port=… user=…' ;;
  esac
}

have() {
  command -v "$1" >/dev/null 2>&1
}

check_tools() {
  missing=
  have gpg || missing="$missing gpg (package gnupg),"
  have zstd || missing="$missing zstd,"
  have sha256sum || have shasum || missing="$missing sha256sum (package coreutils),"
  [ -n "$check_only" ] || have psql || missing="$missing psql (package postgresql-client),"
  for tool in sed tr cut sort wc od grep mktemp; do
    have "$tool" || missing="$missing $tool,"
  done
  [ -z "$missing" ] || fail 2 "not installed here:\${missing%,}" 'install it and run this again'
  # A printf that is a program of its own would show the passphrase among its arguments.
  case $(command -v printf) in
    printf) ;;
    *) fail 2 'this shell has no printf built in' 'run it with dash, bash or busybox sh' ;;
  esac
  version=$(gpg --version | sed -n '1s/^[^)]*) \\([0-9]*\\.[0-9]*\\).*/\\1/p')
  case $version in
    '' | 0.* | 1.* | 2.0 | 2.1) fail 2 "gpg here is of version $version" 'install GnuPG 2.2 or newer' ;;
  esac
  [ -z "$check_only" ] || return 0
  version=$(psql --version | sed -n '1s/^[^)]*) \\([0-9]*\\).*/\\1/p')
  [ "\${version:-0}" -ge 14 ] ||
    fail 2 "psql here is of version $version" 'install the client tools of PostgreSQL 14 or newer'
}

prepare() {
  trap 'finish $?' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d "\${TMPDIR:-/tmp}/restore.XXXXXX")
  mkdir "$work/gnupg"
  case $0 in
    */*) cd -P -- "\${0%/*}" ;;
  esac
}

# Whatever the end: echo is on again, nothing is left in the temporary directory, and it is said what is left elsewhere.
finish() {
  trap - EXIT HUP INT TERM
  [ -z "$terminal" ] || stty "$terminal" </dev/tty || :
  [ -z "$created" ] ||
    say "left: database $building, which is not complete: do not use it; drop it before you run this again"
  if have gpgconf; then gpgconf --homedir "$work/gnupg" --kill all >/dev/null 2>&1 || :; fi
  rm -rf "$work"
  exit "$1"
}

# gpg without the user's own keys and options.
own_gpg() {
  gpg --homedir "$work/gnupg" --batch --no-tty --quiet --trust-model always "$@"
}

verify_manifest() {
  for file in manifest.json manifest.json.asc; do
    [ -f "$file" ] || fail 15 "$file is missing" 'fetch the whole directory; without its manifest a backup is none'
  done
  [ -r "$signer" ] || fail 14 "cannot read $signer"
  own_gpg --import "$signer" || fail 14 "$signer is not a public key"
  verify_signature manifest.json manifest.json.asc
  say "manifest.json is signed by $signed_by"
}

# Object, signature. Sets signed_by.
verify_signature() {
  [ -f "$2" ] || fail 15 "the signature of $1 is missing" 'take another copy'
  verified=0
  report=$(own_gpg --status-fd 1 --verify "$2" "$1" 2>"$work/messages") || verified=$?
  good=no
  signed_by=
  signed_at=
  ended_at=
  while read -r ignored keyword first ignored third rest; do
    case $keyword in
      GOODSIG) good=yes ;;
      EXPKEYSIG) good=expired ;;
      KEYEXPIRED) ended_at=$first ;;
      REVKEYSIG) good=revoked ;;
      BADSIG | ERRSIG | EXPSIG) good=bad ;;
      VALIDSIG)
        signed_by=\${rest##* }
        signed_at=$third
        ;;
    esac
    [ "$good" != bad ] || break
  done <<END
$report
END
  case $good in
    yes) ;;
    expired)
      # A signature from before the end of its key holds.
      [ "\${signed_at:-1}" -le "\${ended_at:-0}" ] || good=no
      say "warning: the key that signed $1 has expired since"
      ;;
    revoked)
      cat "$work/messages" >&2
      fail 15 "the key that signed $1 is revoked" \\
        'where you know that the revocation is from after it was signed and for no bad reason, give the key as it was before'
      ;;
  esac
  if [ "$verified" != 0 ] || [ -z "$signed_by" ] || [ "$good" = no ] || [ "$good" = bad ]; then
    cat "$work/messages" >&2
    fail 15 "$1 has no good signature by a key in $signer: this is not what was made" \\
      'take another copy of the backup; do not go on with this one'
  fi
}

digest_of() {
  if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -c 1-64
}

# Name, size, SHA-256 and content's size (or -) of each object, one a line.
list_objects() {
  sed -n '/^"objects": \\[$/,/^\\]/{
s/^{"name":"\\([A-Za-z0-9._\\/-]*\\)","size":\\([0-9]*\\),"sha256":"\\([0-9a-f]*\\)","content":\\([0-9]*\\)[,}].*/\\1 \\2 \\3 \\4/p
s/^{"name":"\\([A-Za-z0-9._\\/-]*\\)","size":\\([0-9]*\\),"sha256":"\\([0-9a-f]*\\)"}.*/\\1 \\2 \\3 -/p
}' manifest.json
}

verify_objects() {
  list_objects >"$work/objects"
  listed=$(wc -l <"$work/objects")
  [ "$listed" -eq "$(grep -c '^{"name":"' manifest.json)" ] && [ "$listed" -gt 0 ] ||
    fail 15 'manifest.json is not laid out as pgveil writes it'
  for file in restore.sh RESTORE.md; do
    grep -q "^$file " "$work/objects" || fail 15 "manifest.json does not list $file"
  done
  while read -r name size digest ignored; do
    [ -f "$name" ] || fail 15 "$name is missing" 'fetch it again, or take another copy of the backup'
    found=$(wc -c <"$name")
    [ "$found" -eq "$size" ] ||
      fail 15 "$name has $((found)) bytes instead of $size" 'fetch it again, or take another copy of the backup'
    [ "$(digest_of <"$name")" = "$digest" ] ||
      fail 15 "$name is not what was signed: its SHA-256 differs" 'fetch it again, or take another copy of the backup'
    say "as signed: $name"
  done <"$work/objects"
}

# Whether the half at hand has this SHA-256.
is_half() {
  [ "$(printf '%s' "$half" | digest_of)" = "$1" ]
}

# Side, file or nothing, SHA-256. Sets half.
obtain_half() {
  half=
  if [ -n "$2" ]; then
    [ -r "$2" ] || fail 14 "cannot read $2, the half of side $1"
    half=$(tr -d ' \\t\\r\\n' <"$2")
    is_half "$3" || fail 14 "$2 does not hold the half of side $1 of this backup"
    return 0
  fi
  # New custodians have an envelope with a number in its name.
  for envelope in "envelopes/$1.asc" "envelopes/$1".[0-9]*.asc; do
    [ -f "$envelope" ] || continue
    say "asking gpg to open $envelope"
    half=$(gpg --quiet --decrypt -- "$envelope" | tr -d ' \\t\\r\\n')
    if [ -n "$half" ]; then
      is_half "$3" || fail 14 "$envelope does not hold the half of side $1 of this backup"
      return 0
    fi
  done
  if ! (: </dev/tty) 2>/dev/null; then
    fail 14 "the half of side $1 is missing" \\
      "send envelopes/$1.asc to a custodian of $1, and give what comes back by --half $1=FILE"
  fi
  ask_half "$1"
  is_half "$3" || fail 14 "that is not the half of side $1 of this backup"
}

ask_half() {
  terminal=$(stty -g </dev/tty)
  stty -echo </dev/tty
  printf 'half of side %s (not shown): ' "$1" >/dev/tty
  IFS= read -r half </dev/tty || half=
  stty "$terminal" </dev/tty
  terminal=
  printf '\\n' >/dev/tty
  half=$(printf '%s' "$half" | tr -d ' \\t\\r\\n')
}

unlock() {
  if [ -t 0 ]; then
    GPG_TTY=\${GPG_TTY:-$(tty)}
    export GPG_TTY
  fi
  obtain_half "$side_1" "$half_file_1" "$digest_1"
  passphrase=$half
  if [ -n "$side_2" ]; then
    obtain_half "$side_2" "$half_file_2" "$digest_2"
    passphrase=$passphrase$half
  fi
  half=
}
`
