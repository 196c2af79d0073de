/**
 * The part of restore.sh for persons who were erased since the backup: the ledger of them lies beside the backups, see
 * docs/erasure.md. Its SQL is that of pgveil; the secret goes to psql by a pipe, as a row of a COPY.
 */
export const ERASURE_SHELL = `
# Every record of the ledger is signed and names the one before; this backup knows how far it went at the time.
verify_ledger() {
  [ -n "$erasures" ] || [ ! -d ../erasures ] || erasures=../erasures
  records=0
  before=null
  if [ -n "$erasures" ]; then
    [ -d "$erasures" ] || fail 2 "$erasures is not a directory"
    while [ -f "$erasures/$((records + 1)).json" ]; do
      records=$((records + 1))
      record=$erasures/$records.json
      digest=$(digest_of <"$record")
      verify_signature "$record" "$record.$(printf '%s' "$digest" | cut -c 1-16).asc"
      grep -q "^{\\"format\\":\\"pgveil erasures 1\\",\\"number\\":$records,\\"previous\\":$before," "$record" ||
        fail 15 "$record does not follow the record before it" 'bring the objects below erasures/ back from another copy'
      [ "$records" -ne "$ledger_number" ] || [ "$digest" = "$ledger_digest" ] ||
        fail 15 "$record is not the record that this backup knows" 'bring the objects below erasures/ back from another copy'
      before="\\"$digest\\""
      if grep -q "\\"name\\":\\"$chain\\",\\"check\\":" "$record"; then erased=yes; fi
    done
    for record in "$erasures"/[0-9]*.json; do
      [ -f "$record" ] || continue
      number=\${record##*/}
      [ "\${number%.json}" -le "$records" ] || fail 15 "$erasures/$((records + 1)).json is missing" \\
        'bring the objects below erasures/ back from another copy'
    done
  fi
  [ "$ledger_number" -le "$records" ] ||
    fail 15 "the ledger of erasures is not here, or cut off: $records of at least $ledger_number records" \\
      'fetch erasures/ as well, put it beside this directory or name it by --erasures'
  [ "$records" -eq 0 ] || say "ledger of erasures: $records records, as signed"
  tell_without_ledger
  [ -z "$erased" ] || [ -n "$check_only" ] || [ -n "$erasure_secret" ] ||
    fail 14 'persons of this database were erased since, and without the secret of the ledger they would come back' \\
      'give it by --erasure-secret FILE: what erasure.secret of pgveil.yaml holds'
  [ -z "$erasure_secret" ] || [ -r "$erasure_secret" ] || fail 14 "cannot read $erasure_secret"
}

# Where there are no records: from a backup alone nobody can tell whether its store has some.
tell_without_ledger() {
  [ "$records" -eq 0 ] || return 0
  say "note: no ledger of erasures lies in \${erasures:-../erasures}: persons who were erased since this backup was made" \
    'will be there again'
  say 'hint: where the store has erasures/, copy it beside this directory, or name it by --erasures, and begin again'
}

# In hexadecimal, without the line break at its end.
secret_hex() {
  od -A n -v -t x1 <"$erasure_secret" | tr -d ' \\n' | sed -e 's/0d0a$//' -e t -e 's/0a$//'
}

# The ledger and its key as temporary tables of a session of psql.
ledger_sql() {
  printf '%s\\n' "$erasure_setup" "$erasure_copy_records;"
  number=0
  while [ "$number" -lt "$records" ]; do
    number=$((number + 1))
    # A backslash is doubled in what COPY reads.
    sed 's/\\\\/\\\\\\\\/g' "$erasures/$number.json"
  done
  printf '%s\\n' '\\.' "$erasure_copy_key;"
  printf '%s\\t%s\\t%s\\t{}\\n' "$chain" "$(secret_hex)" "$records"
  printf '%s\\n' '\\.' "$erasure_derive" "$erasure_read"
}

# Before anything is made: is this the secret?
check_secret() {
  [ -n "$erased" ] || return 0
  outcome=$({ ledger_sql | stage psql run_sql "$maintenance" terse; } 3>&1 </dev/null | gather)
  [ "$outcome" = 'psql0 ' ] || fail 14 "the ledger of erasures cannot be read with the secret in $erasure_secret"
}

erase_again() {
  [ -n "$erased" ] || return 0
  ledger_sql
  printf '%s\\n' "$erasure_replay" 'VACUUM;'
}
`
