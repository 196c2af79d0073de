/**
 * The second part, with the passphrase: opening objects, and making a database of them. The last word on each object
 * is how all stages of its pipe ended, and how many rows there were.
 */
export const LOAD_SHELL = `
# Runs one stage of a pipe and tells on 3 how it ended: a shell asks only the last one.
stage() {
  stage_name=$1
  shift
  stage_status=0
  "$@" 3>&- || stage_status=$?
  printf '%s %s\\n' "$stage_name" "$stage_status" >&3
}

unseal() {
  printf '%s\\n' "$passphrase" | own_gpg --pinentry-mode loopback --passphrase-fd 0 --output - --decrypt -- "$1"
}

# What is in an object; for use in a pipe that ends in a stage, with 3 open.
content() {
  stage gpg unseal "$1" | stage zstd zstd -q -d -c
}

# How the stages of a pipe ended, and what the last printed, in one line and a certain order.
gather() {
  LC_ALL=C sort | tr -d ' ' | tr '\\n' ' '
}

count_bytes() {
  wc -c
}

# Opens every object, and looks whether it holds as many bytes as it should.
check_content() {
  while read -r name ignored ignored bytes; do
    [ "$bytes" != - ] || continue
    outcome=$({ content "$name" | stage wc count_bytes; } 3>&1 </dev/null | gather)
    [ "$outcome" = "$bytes gpg0 wc0 zstd0 " ] ||
      fail 15 "$name cannot be opened, or does not hold $bytes bytes ($outcome)"
    say "opened: $name"
  done <"$work/objects"
}

# psql on a database, with more arguments. It never asks for a password: it is called many times.
query() {
  query_database=$1
  shift
  PGDATABASE=$query_database psql -X -w -q -v ON_ERROR_STOP=1 \${server:+-d} \${server:+"$server"} "$@"
}

# A value that SQL finds in the catalogs of the server.
ask() {
  printf '%s\\n' "$1" | query "$maintenance" -A -t -v database="$database" -v building="$building" -f -
}

connect() {
  PGCLIENTENCODING=$client_encoding
  PGAPPNAME=restore.sh
  export PGCLIENTENCODING PGAPPNAME
  for maintenance in postgres template1; do
    # Another name may stand in a service file, which goes before PGDATABASE.
    if reached=$(query "$maintenance" -A -t -c 'SELECT pg_catalog.current_database()' 2>"$work/messages"); then break; fi
  done
  if [ "$reached" != "$maintenance" ]; then
    cat "$work/messages" >&2
    fail 12 "cannot connect to database $maintenance of the server" \\
      'set PGHOST, PGPORT and PGUSER, or give --server; a service file must not name a database'
  fi
  restrict=
  if query "$maintenance" -c '\\restrict probe' >/dev/null 2>&1; then
    restrict="\\\\restrict $(od -A n -t x1 -N 16 /dev/urandom | tr -d ' \\n')"
  fi
  server_version=$(ask 'SHOW server_version_num')
}

check_server() {
  for name in "$database" "$building"; do
    found=$(printf '%s\\n' "SELECT 'there' FROM pg_catalog.pg_database WHERE datname = :'name'" |
      query "$maintenance" -A -t -v name="$name" -f -)
    [ -z "$found" ] || fail 16 "there is a database $name already" \\
      'nothing is overwritten: give another name, or drop that one by hand'
  done
  [ "$server_version" -ge "$((source_version / 10000 * 10000))" ] ||
    say 'warning: this server is older than the one that was backed up; it may not know everything that is in it'
  [ -z "$extensions" ] || missing=$(ask "$extensions")
  [ -z "$missing" ] || fail 12 "extensions that the server does not have: $missing" \\
    'install the packages that carry them on the machine of the server'
  if [ -n "$money" ] && ! query "$maintenance" -c "$money" >/dev/null 2>&1; then
    say 'warning: this server does not know the locale in which amounts of type money were printed'
    money=
  fi
}

create_database() {
  printf 'CREATE DATABASE :"building" TEMPLATE template0 %s;\\n' "$1" |
    query "$maintenance" -v building="$building" -f -
}

make_database() {
  clause=$old_clause
  fallback="LC_COLLATE 'C' LC_CTYPE 'C'"
  if [ "$server_version" -ge 150000 ]; then
    clause=$clause_15
    fallback="$fallback LOCALE_PROVIDER libc"
  fi
  [ "$server_version" -lt 160000 ] || clause=$clause_16
  say "making database $building"
  if ! create_database "$encoding_clause $clause"; then
    say 'warning: not with the locale of the source; trying C, in which text is sorted by its bytes'
    create_database "$encoding_clause $fallback" || fail 12 "cannot make database $building"
  fi
  created=yes
  reached=$(query "$building" -A -t -c 'SELECT pg_catalog.current_database()')
  [ "$reached" = "$building" ] || fail 12 "cannot connect to database $building"
}

# Before SQL that psql reads from a pipe: from there on it obeys no backslash commands.
guard() {
  [ -z "$restrict" ] || printf '%s\\n' "$restrict"
}

# Database, VERBOSITY: runs SQL from a pipe.
run_sql() {
  query "$1" -v VERBOSITY="$2" -v SHOW_CONTEXT=never -c "$session" -f - >/dev/null
}

# Database, object, VERBOSITY.
sql_object() {
  say "running: $2"
  outcome=$({ { guard; content "$2"; } | stage psql run_sql "$1" "$3"; } 3>&1 </dev/null | gather)
  [ "$outcome" = 'gpg0 psql0 zstd0 ' ] || fail 12 "$2 did not run to its end ($outcome)" "$4"
}

copy_in() {
  query "$building" -v VERBOSITY=sqlstate -c "$session" -c "\${money:-$session}" -c '\\set QUIET off' -c "$1"
}

# Object, rows, name for people, COPY: loads one segment of a table in one transaction.
rows() {
  say "loading: $1, $2 rows of $3"
  outcome=$({ content "$1" | stage psql copy_in "$4"; } 3>&1 </dev/null | gather)
  [ "$outcome" = "COPY$2 gpg0 psql0 zstd0 " ] ||
    fail 12 "$1 did not become $2 rows of $3 ($outcome)" \\
      'the full message may quote a row, so only its code is shown: run it by hand as RESTORE.md says to see it'
}

large_objects() {
  sql_object "$building" "$1" sqlstate \\
    'the full message may quote content, so only its code is shown: run it by hand as RESTORE.md says to see it'
}

# Structure after the rows, settings, erasures and views in one session, which none of these settings reaches yet.
last_session() {
  guard
  content post-data.sql.pgp
  content settings.sql.pgp
  erase_again
  printf '%s\\n' "$after"
}

# The last of what it prints may be how many views it could not fill.
last_sql() {
  query "$building" -A -t -v VERBOSITY=terse -v SHOW_CONTEXT=never -c "$session" -f -
}

complete_database() {
  say 'running: post-data.sql.pgp, settings.sql.pgp, materialized views, ANALYZE'
  outcome=$({ last_session | stage psql last_sql | stage sed sed -n 's/^not filled: //p'; } 3>&1 </dev/null | gather)
  case $outcome in
    [1-9]*)
      unfilled=\${outcome%% *}
      outcome=\${outcome#* }
      ;;
  esac
  [ "$outcome" = 'gpg0 gpg0 psql0 sed0 zstd0 zstd0 ' ] ||
    fail 12 "constraints, indexes, triggers and settings did not run to their end ($outcome)"
}

rename_database() {
  printf '%s\\n' 'ALTER DATABASE :"building" RENAME TO :"database";' |
    query "$maintenance" -v building="$building" -v database="$database" -f - ||
    fail 12 "cannot rename $building to $database"
  created=
}

restore() {
  connect
  check_server
  check_secret
  sql_object "$maintenance" globals.sql.pgp terse 'roles can be made by a superuser, or by one who has CREATEROLE'
  make_database
  sql_object "$building" pre-data.sql.pgp terse \\
    'what is missing on this server, a role or an extension, has to be made there first'
  restore_rows
  complete_database
  rename_database
  [ -z "$unfilled" ] ||
    say "warning: $unfilled materialized views could not be filled and are empty: REFRESH MATERIALIZED VIEW fills them" \
      'once what stands in the way, as said above, is put right'
  tell_without_ledger
  say "done: database $database holds backup $label"
}

main() {
  read_options "$@"
  check_tools
  prepare
  say "backup $label"
  verify_manifest
  verify_objects
  verify_ledger
  unlock
  if [ -n "$check_only" ]; then
    check_content
    say "done: everything of backup $label is there and can be opened; nothing was restored"
  else
    restore
  fi
}

main "$@"
`
