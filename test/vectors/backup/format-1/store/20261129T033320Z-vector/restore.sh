#!/bin/sh
# Restores the sealed backup 20261129T033320Z-vector with gpg, zstd and psql; pgveil is not needed.
# Begin with RESTORE.md: it says how to find out that this script is the one that was signed.
{ set +ax; } 2>/dev/null # a trace would show the passphrase, and exporting would hand it to every child
set -eu
umask 077
unset CDPATH half passphrase signer database server check_only half_file_1 half_file_2 erasures erasure_secret erased terminal created missing || :
CDPATH=
half=
passphrase=
signer=
database=
server=
check_only=
half_file_1=
half_file_2=
erasures=
erasure_secret=
erased=
terminal=
created=
missing=
label='20261129T033320Z-vector'
side_1='operations'
digest_1='243d87c5177402815240723062033b51249d237a19aa004e07069e769ee9d6da'
side_2='offline'
digest_2='5e4bf3e578155898c905b9508e53cf105705d7f6a5672bff150bc06e9f573e62'
source_version='180004'
client_encoding='UTF8'
extensions='SELECT pg_catalog.string_agg(wanted, '\'', '\'') FROM pg_catalog.unnest(ARRAY['\''plpgsql'\'']::pg_catalog.text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = wanted)'
encoding_clause='ENCODING '\''UTF8'\'''
old_clause='LC_COLLATE '\''C'\'' LC_CTYPE '\''C'\'''
clause_15='LC_COLLATE '\''C'\'' LC_CTYPE '\''C'\'' LOCALE_PROVIDER libc'
clause_16='LC_COLLATE '\''C'\'' LC_CTYPE '\''C'\'' LOCALE_PROVIDER libc'
session='SET client_encoding = '\''UTF8'\''; SET standard_conforming_strings = on;
SET datestyle = '\''ISO, YMD'\''; SET intervalstyle = '\''postgres'\''; SET timezone = '\''UTC'\''; SET xmloption = '\''content'\'';
SET array_nulls = on; SET search_path = '\'''\''; SET row_security = off; SET synchronous_commit = off;
SET default_transaction_read_only = off; SET client_min_messages = warning;
DO '\''BEGIN PERFORM pg_catalog.set_config(name, '\'''\''0'\'''\'', false) FROM pg_catalog.pg_settings WHERE name IN (
'\'''\''statement_timeout'\'''\'', '\'''\''lock_timeout'\'''\'', '\'''\''idle_in_transaction_session_timeout'\'''\'', '\'''\''idle_session_timeout'\'''\'',
'\'''\''transaction_timeout'\'''\''); END'\'''
money='SET lc_monetary = '\''C'\'''
after='DO '\''BEGIN
PERFORM pg_catalog.set_config('\'''\''session_replication_role'\'''\'', '\'''\''replica'\'''\'', false);
PERFORM pg_catalog.set_config(name, '\'''\''off'\'''\'', false) FROM pg_catalog.pg_settings WHERE name = '\'''\''event_triggers'\'''\'';
EXCEPTION WHEN insufficient_privilege THEN END'\'';
REFRESH MATERIALIZED VIEW "public"."visits";
ANALYZE;'
chain='vector'
ledger_number='0'
ledger_digest=''
erasure_setup='DO $pgveil$ BEGIN
  PERFORM pg_catalog.set_config('\''session_replication_role'\'', '\''replica'\'', false);
  PERFORM pg_catalog.set_config(name, '\''off'\'', false) FROM pg_catalog.pg_settings WHERE name = '\''event_triggers'\'';
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $pgveil$;
CREATE TEMPORARY TABLE pgveil_records (record text);
CREATE TEMPORARY TABLE pgveil_erasure (name text, given text, total int, overrides text, key bytea);
CREATE TEMPORARY TABLE pgveil_wanted (schema name, tbl name, col name, hash bytea, folded bytea);
CREATE TEMPORARY TABLE pgveil_references (tbl text, action text);
CREATE TEMPORARY TABLE pgveil_doomed (rel oid, line tid, round int, PRIMARY KEY (rel, line));
CREATE TEMPORARY TABLE pgveil_referring (rel oid, line tid);
CREATE TEMPORARY TABLE pgveil_cleared (rel oid, line tid, col name, PRIMARY KEY (rel, line, col));
CREATE TEMPORARY TABLE pgveil_undecided (rel oid, line tid, con oid);
CREATE TEMPORARY TABLE pgveil_unfound (tbl text, col text, PRIMARY KEY (tbl, col));
CREATE TEMPORARY TABLE pgveil_erased (tbl text, deleted bigint DEFAULT 0, cleared bigint DEFAULT 0);

CREATE FUNCTION pg_temp.pgveil_pad(secret bytea, mask int) RETURNS bytea LANGUAGE sql AS $pgveil$
  SELECT pg_catalog.decode(pg_catalog.string_agg(pg_catalog.lpad(pg_catalog.to_hex(
    pg_catalog.get_byte(k || pg_catalog.decode(pg_catalog.repeat('\''00'\'', 64 - pg_catalog.length(k)), '\''hex'\''), i) # mask
  ), 2, '\''0'\''), '\'''\'' ORDER BY i), '\''hex'\'')
  FROM pg_catalog.generate_series(0, 63) AS i,
    (SELECT CASE WHEN pg_catalog.length(secret) > 64 THEN pg_catalog.sha256(secret) ELSE secret END AS k) AS short
  $pgveil$;

CREATE FUNCTION pg_temp.pgveil_hmac(secret bytea, message bytea) RETURNS bytea LANGUAGE sql AS $pgveil$
  SELECT pg_catalog.sha256(pg_temp.pgveil_pad(secret, 92) || pg_catalog.sha256(pg_temp.pgveil_pad(secret, 54) || message))
  $pgveil$;

-- The rows of erased persons. A person is found by the text of the key, without regard to case where the type has none.
CREATE FUNCTION pg_temp.pgveil_match() RETURNS TABLE (rel oid, line tid) LANGUAGE plpgsql AS $pgveil$
DECLARE
  wanted record;
  leaf record;
  found_one bool;
  inner_pad bytea;
  outer_pad bytea;
  charset name := CASE pg_catalog.getdatabaseencoding() WHEN '\''SQL_ASCII'\'' THEN '\''SQL_ASCII'\'' ELSE '\''UTF8'\'' END;
BEGIN
  SELECT pg_temp.pgveil_pad(e.key, 54), pg_temp.pgveil_pad(e.key, 92) INTO STRICT inner_pad, outer_pad
    FROM pg_temp.pgveil_erasure e;
  FOR wanted IN SELECT DISTINCT w.schema, w.tbl, w.col FROM pg_temp.pgveil_wanted w LOOP
    found_one := false;
    FOR leaf IN
      WITH RECURSIVE tree (id) AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = wanted.schema AND c.relname = wanted.tbl AND c.relkind IN ('\''r'\'', '\''p'\'')
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.id)
      SELECT c.oid, c.relkind, (
        WITH RECURSIVE base (typname, typbasetype) AS (
          SELECT t.typname, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
          UNION ALL SELECT t.typname, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype)
        SELECT b.typname FROM base b WHERE b.typbasetype = 0) IN ('\''citext'\'', '\''uuid'\'') AS folds
      FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.id
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = wanted.col AND a.attnum > 0
        AND NOT a.attisdropped
    LOOP
      found_one := true;
      CONTINUE WHEN leaf.relkind <> '\''r'\'';
      RETURN QUERY EXECUTE pg_catalog.format(
        '\''SELECT r.tableoid, r.ctid FROM ONLY %s r
         WHERE pg_catalog.sha256($1 || pg_catalog.sha256($2 || pg_catalog.convert_to(%s, $3))) IN (
           SELECT w.%I FROM pg_temp.pgveil_wanted w WHERE w.schema = $4 AND w.tbl = $5 AND w.col = $6)'\'',
        leaf.oid::regclass,
        pg_catalog.format(CASE WHEN leaf.folds THEN '\''pg_catalog.lower(r.%I::text)'\'' ELSE '\''r.%I::text'\'' END, wanted.col),
        CASE WHEN leaf.folds THEN '\''folded'\'' ELSE '\''hash'\'' END)
        USING outer_pad, inner_pad, charset, wanted.schema, wanted.tbl, wanted.col;
    END LOOP;
    IF NOT found_one THEN
      INSERT INTO pg_temp.pgveil_unfound VALUES (pg_catalog.format('\''%I.%I'\'', wanted.schema, wanted.tbl), wanted.col)
        ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
END $pgveil$;

-- How the rows of a foreign key'\''s tables, t and r, belong together.
CREATE FUNCTION pg_temp.pgveil_join(con oid) RETURNS text LANGUAGE sql AS $pgveil$
  SELECT pg_catalog.string_agg(pg_catalog.format('\''t.%I OPERATOR(%I.%s) r.%I'\'', p.attname, n.nspname, o.oprname, f.attname), '\'' AND '\'')
  FROM pg_catalog.pg_constraint c,
    unnest(c.conkey, c.confkey, c.conpfeqop) AS k (referring, referred, operator)
  JOIN pg_catalog.pg_operator o ON o.oid = k.operator
  JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_catalog.pg_attribute f ON f.attnum = k.referring
  JOIN pg_catalog.pg_attribute p ON p.attnum = k.referred
  WHERE c.oid = con AND f.attrelid = c.conrelid AND p.attrelid = c.confrelid
  $pgveil$;

-- The columns in which a row can be freed of its reference; null: there is no way.
CREATE FUNCTION pg_temp.pgveil_clearable(con oid) RETURNS name[] LANGUAGE sql AS $pgveil$
  SELECT (
    SELECT CASE WHEN c.confmatchtype <> '\''f'\'' OR NOT pg_catalog.bool_or(a.attnotnull) THEN
      pg_catalog.array_agg(a.attname) FILTER (WHERE NOT a.attnotnull AND (
        pg_catalog.to_json(c) ->> '\''confdelsetcols'\'' IS NULL OR a.attnum::text IN (
          SELECT pg_catalog.json_array_elements_text(pg_catalog.to_json(c) -> '\''confdelsetcols'\'')))) END
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
  FROM pg_catalog.pg_constraint c WHERE c.oid = con
  $pgveil$;

-- Foreign keys to one of these tables or to a partitioned table that one belongs to.
CREATE FUNCTION pg_temp.pgveil_keys_to(rels oid[]) RETURNS SETOF pg_catalog.pg_constraint LANGUAGE sql AS $pgveil$
  SELECT c FROM pg_catalog.pg_constraint c
  WHERE c.contype = '\''f'\'' AND c.conparentid = 0 AND (c.confrelid = ANY (rels)
    OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.confrelid) p WHERE p.relid = ANY (rels)))
  ORDER BY c.oid
  $pgveil$;

-- The name of a table for FROM: of one that is partitioned with its partitions, of others without what inherits.
CREATE FUNCTION pg_temp.pgveil_from(rel oid) RETURNS text LANGUAGE sql AS $pgveil$
  SELECT CASE c.relkind WHEN '\''p'\'' THEN '\'''\'' ELSE '\''ONLY '\'' END || c.oid::regclass FROM pg_catalog.pg_class c WHERE c.oid = rel
  $pgveil$;
'
erasure_copy_records='COPY pg_temp.pgveil_records FROM STDIN WITH (DELIMITER E'\''\x02'\'')'
erasure_copy_key='COPY pg_temp.pgveil_erasure (name, given, total, overrides) FROM STDIN'
erasure_derive='UPDATE pg_temp.pgveil_erasure SET given = pg_catalog.encode(pg_temp.pgveil_hmac(
  pg_temp.pgveil_hmac(pg_catalog.convert_to('\''pgveil'\'', '\''SQL_ASCII'\''), pg_catalog.decode(given, '\''hex'\'')),
  pg_catalog.convert_to('\''erasure ledger'\'', '\''SQL_ASCII'\'') || pg_catalog.decode('\''01'\'', '\''hex'\'')), '\''hex'\'');'
erasure_read='UPDATE pg_temp.pgveil_erasure SET key = pg_catalog.decode(given, '\''hex'\'');
INSERT INTO pg_temp.pgveil_wanted
  SELECT r.record::json ->> '\''schema'\'', r.record::json ->> '\''table'\'', r.record::json ->> '\''column'\'',
    pg_catalog.decode(k ->> '\''hash'\'', '\''hex'\''), pg_catalog.decode(k ->> '\''folded'\'', '\''hex'\'')
  FROM pg_temp.pgveil_records r JOIN pg_temp.pgveil_erasure e ON e.name = r.record::json ->> '\''name'\'',
    pg_catalog.json_array_elements(r.record::json -> '\''keys'\'') AS k;
INSERT INTO pg_temp.pgveil_references
  SELECT DISTINCT ON (said.tbl) said.tbl, said.action FROM (
    SELECT (r.record::json ->> '\''number'\'')::int AS number, s.key AS tbl, s.value AS action
    FROM pg_temp.pgveil_records r JOIN pg_temp.pgveil_erasure e ON e.name = r.record::json ->> '\''name'\'',
      pg_catalog.json_each_text(r.record::json -> '\''references'\'') AS s
    UNION ALL
    SELECT 2147483647, s.key, s.value FROM pg_temp.pgveil_erasure e, pg_catalog.json_each_text(e.overrides::json) AS s
  ) AS said ORDER BY said.tbl, said.number DESC;
DO $pgveil$ BEGIN
  IF (SELECT e.total FROM pg_temp.pgveil_erasure e) IS DISTINCT FROM (SELECT pg_catalog.count(*) FROM pg_temp.pgveil_records) THEN
    RAISE EXCEPTION '\''the ledger of erasures did not arrive whole'\'';
  END IF;
  IF EXISTS (SELECT FROM pg_temp.pgveil_records r, pg_temp.pgveil_erasure e WHERE r.record::json ->> '\''check'\'' <>
    pg_catalog.encode(pg_temp.pgveil_hmac(e.key, pg_catalog.convert_to('\''pgveil erasure check'\'', '\''SQL_ASCII'\'')), '\''hex'\''))
  THEN
    RAISE EXCEPTION '\''the ledger of erasures was made with another secret'\'' USING ERRCODE = '\''PV002'\'';
  END IF;
END $pgveil$;
'
erasure_replay='DO $pgveil$
DECLARE
  con record;
  part record;
  rels oid[];
  clearable name[];
  fires text[];
  silence text[];
  wake text[];
  statement text;
  referring text;
  decided text;
  depth int := 0;
  counted bigint;
  dangling bool;
BEGIN
  INSERT INTO pg_temp.pgveil_doomed SELECT m.rel, m.line, 0 FROM pg_temp.pgveil_match() m ON CONFLICT DO NOTHING;
  LOOP
    SELECT pg_catalog.array_agg(DISTINCT d.rel) INTO rels FROM pg_temp.pgveil_doomed d WHERE d.round = depth;
    EXIT WHEN rels IS NULL;
    ANALYZE pg_temp.pgveil_doomed;
    FOR con IN SELECT * FROM pg_temp.pgveil_keys_to(rels) LOOP
      TRUNCATE pg_temp.pgveil_referring;
      EXECUTE pg_catalog.format('\''INSERT INTO pg_temp.pgveil_referring SELECT r.tableoid, r.ctid FROM %s r WHERE EXISTS (
        SELECT FROM %s t JOIN pg_temp.pgveil_doomed d ON d.rel = t.tableoid AND d.line = t.ctid WHERE d.round = $1 AND %s)'\'',
        pg_temp.pgveil_from(con.conrelid), pg_temp.pgveil_from(con.confrelid), pg_temp.pgveil_join(con.oid)) USING depth;
      CONTINUE WHEN NOT EXISTS (SELECT FROM pg_temp.pgveil_referring);
      SELECT n.nspname || '\''.'\'' || c.relname INTO referring FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = con.conrelid;
      decided := CASE con.confdeltype WHEN '\''c'\'' THEN '\''delete'\'' WHEN '\''n'\'' THEN '\''null'\'' ELSE (
        SELECT s.action FROM pg_temp.pgveil_references s WHERE s.tbl IN (referring, '\''*'\'') ORDER BY s.tbl = '\''*'\'' LIMIT 1) END;
      clearable := pg_temp.pgveil_clearable(con.oid);
      IF decided = '\''delete'\'' THEN
        INSERT INTO pg_temp.pgveil_doomed SELECT f.rel, f.line, depth + 1 FROM pg_temp.pgveil_referring f
          ON CONFLICT DO NOTHING;
      ELSIF decided = '\''null'\'' AND clearable IS NOT NULL THEN
        INSERT INTO pg_temp.pgveil_cleared SELECT f.rel, f.line, c FROM pg_temp.pgveil_referring f,
          pg_catalog.unnest(clearable) AS c ON CONFLICT DO NOTHING;
      ELSE
        INSERT INTO pg_temp.pgveil_undecided SELECT f.rel, f.line, con.oid FROM pg_temp.pgveil_referring f;
      END IF;
    END LOOP;
    depth := depth + 1;
  END LOOP;
  -- What refers by one key may go for another.
  DELETE FROM pg_temp.pgveil_cleared c USING pg_temp.pgveil_doomed d WHERE d.rel = c.rel AND d.line = c.line;
  DELETE FROM pg_temp.pgveil_undecided u USING pg_temp.pgveil_doomed d WHERE d.rel = u.rel AND d.line = u.line;
  SELECT c.conname, n.nspname, t.relname INTO con FROM pg_temp.pgveil_undecided u
    JOIN pg_catalog.pg_constraint c ON c.oid = u.con JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '\''rows of %.% refer to erased ones by constraint %, and nothing says what becomes of them'\'',
      con.nspname, con.relname, con.conname USING ERRCODE = '\''PV001'\'', SCHEMA = con.nspname, TABLE = con.relname,
      CONSTRAINT = con.conname;
  END IF;
  SELECT pg_catalog.array_agg(DISTINCT touched.rel) INTO rels FROM (
    SELECT d.rel FROM pg_temp.pgveil_doomed d UNION SELECT c.rel FROM pg_temp.pgveil_cleared c) AS touched;
  fires := CASE pg_catalog.current_setting('\''session_replication_role'\'') WHEN '\''replica'\'' THEN ARRAY['\''A'\'', '\''R'\''] ELSE ARRAY['\''O'\'', '\''A'\''] END;
  SELECT pg_catalog.array_agg(pg_catalog.format('\''ALTER TABLE %s DISABLE %s'\'', s.rel::regclass, s.what)),
    pg_catalog.array_agg(pg_catalog.format('\''ALTER TABLE %s ENABLE %s%s'\'', s.rel::regclass, CASE s.mode WHEN '\''A'\'' THEN '\''ALWAYS '\''
      WHEN '\''R'\'' THEN '\''REPLICA '\'' ELSE '\'''\'' END, s.what)) INTO silence, wake
    FROM (
      SELECT t.tgrelid AS rel, t.tgenabled::text AS mode, pg_catalog.format('\''TRIGGER %I'\'', t.tgname) AS what
        FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
      UNION ALL SELECT w.ev_class, w.ev_enabled::text, pg_catalog.format('\''RULE %I'\'', w.rulename)
        FROM pg_catalog.pg_rewrite w WHERE w.ev_type IN ('\''2'\'', '\''4'\'')
    ) AS s WHERE s.rel = ANY (rels) AND s.mode = ANY (fires);
  FOREACH statement IN ARRAY COALESCE(silence, '\''{}'\'') LOOP EXECUTE statement; END LOOP;
  FOR part IN SELECT g.rel, g.cols, pg_catalog.array_agg(g.line) AS lines FROM (
      SELECT c.rel, c.line, pg_catalog.array_agg(c.col ORDER BY c.col) AS cols FROM pg_temp.pgveil_cleared c GROUP BY c.rel, c.line
    ) AS g GROUP BY g.rel, g.cols LOOP
    EXECUTE pg_catalog.format('\''UPDATE ONLY %s SET %s WHERE ctid = ANY ($1)'\'', part.rel::regclass,
      (SELECT pg_catalog.string_agg(pg_catalog.format('\''%I = NULL'\'', c), '\'', '\'') FROM pg_catalog.unnest(part.cols) AS c)) USING part.lines;
    GET DIAGNOSTICS counted = ROW_COUNT;
    INSERT INTO pg_temp.pgveil_erased (tbl, cleared) VALUES (part.rel::regclass::text, counted);
  END LOOP;
  FOR part IN SELECT d.rel, pg_catalog.array_agg(d.line) AS lines FROM pg_temp.pgveil_doomed d
    GROUP BY d.round, d.rel ORDER BY d.round DESC, d.rel LOOP
    EXECUTE pg_catalog.format('\''DELETE FROM ONLY %s WHERE ctid = ANY ($1)'\'', part.rel::regclass) USING part.lines;
    GET DIAGNOSTICS counted = ROW_COUNT;
    INSERT INTO pg_temp.pgveil_erased (tbl, deleted) VALUES (part.rel::regclass::text, counted);
  END LOOP;
  SET CONSTRAINTS ALL IMMEDIATE;
  FOREACH statement IN ARRAY COALESCE(wake, '\''{}'\'') LOOP EXECUTE statement; END LOOP;
  SELECT pg_catalog.array_agg(DISTINCT d.rel) INTO rels FROM pg_temp.pgveil_doomed d;
  FOR con IN SELECT * FROM pg_temp.pgveil_keys_to(rels) k WHERE k.convalidated LOOP
    EXECUTE pg_catalog.format('\''SELECT EXISTS (SELECT FROM %s r WHERE %s AND NOT EXISTS (SELECT FROM %s t WHERE %s))'\'',
      pg_temp.pgveil_from(con.conrelid),
      (SELECT pg_catalog.string_agg(pg_catalog.format('\''r.%I IS NOT NULL'\'', a.attname), '\'' AND '\'') FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = con.conrelid AND a.attnum = ANY (con.conkey)),
      pg_temp.pgveil_from(con.confrelid), pg_temp.pgveil_join(con.oid)) INTO dangling;
    IF dangling THEN
      RAISE EXCEPTION '\''rows still refer to erased ones by constraint %'\'', con.conname
        USING ERRCODE = '\''PV003'\'', CONSTRAINT = con.conname;
    END IF;
  END LOOP;
  IF EXISTS (SELECT FROM pg_temp.pgveil_match()) THEN
    RAISE EXCEPTION '\''an erased person is still there'\'' USING ERRCODE = '\''PV003'\'';
  END IF;
  PERFORM pg_catalog.set_config('\''client_min_messages'\'', '\''notice'\'', true);
  FOR part IN SELECT u.tbl, u.col FROM pg_temp.pgveil_unfound u LOOP
    RAISE NOTICE '\''warning: there is no column % of % in which the ledger of erasures could look'\'', part.col, part.tbl;
  END LOOP;
  FOR part IN SELECT e.tbl, sum(e.deleted) AS deleted, sum(e.cleared) AS cleared FROM pg_temp.pgveil_erased e
    GROUP BY e.tbl ORDER BY e.tbl LOOP
    RAISE NOTICE '\''erased again: % rows of %, % more cleared of a reference'\'', part.deleted, part.tbl, part.cleared;
  END LOOP;
END $pgveil$;
'

# Object, rows, name for people, COPY.
restore_rows() {
  :
  rows tables/1.1.0.pgp 3 'public.contact' 'COPY "public"."contact" ("id", "name", "colour", "note") FROM STDIN'
  rows tables/2.1.0.pgp 2 'public."odd name"' 'COPY "public"."odd name" ("a ""column""", "amount", "at", "tags") FROM STDIN'
  rows tables/3.1.0.pgp 3 'public.shade_0' 'COPY "public"."shade" ("colour", "number") FROM STDIN'
  rows tables/4.1.0.pgp 3 'public.visit_new' 'COPY "public"."visit_new" ("id", "contact", "day") FROM STDIN'
  rows tables/5.1.0.pgp 3 'public.visit_old' 'COPY "public"."visit_old" ("id", "contact", "day") FROM STDIN'
  large_objects large-objects.1.sql.pgp
}

say() {
  printf 'restore.sh: %s\n' "$*" >&2
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
    "$side_1"=?*) half_file_1=$(absolute "${1#*=}") ;;
    "${side_2:-$side_1}"=?*) half_file_2=$(absolute "${1#*=}") ;;
    *) wrong_usage "--half is written SIDE=FILE; sides of this backup: $side_1 $side_2" ;;
  esac
}

# The database in a connection string is left out: which one is connected to is told by PGDATABASE.
take_server() {
  server_rest=${1#*://}
  server_place=${server_rest%%[/?]*}
  case $1 in
    *password=*) server_user=: ;;
    *://*@*) server_user=${server_place%@*} ;;
    *) server_user= ;;
  esac
  case $server_user in
    *:*) wrong_usage 'everybody on this machine sees a password in an argument: use ~/.pgpass or PGPASSWORD' ;;
  esac
  server_query=
  case $server_rest in
    *\?*) server_query="?${server_rest#*\?}" ;;
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
  [ -z "$missing" ] || fail 2 "not installed here:${missing%,}" 'install it and run this again'
  # A printf that is a program of its own would show the passphrase among its arguments.
  case $(command -v printf) in
    printf) ;;
    *) fail 2 'this shell has no printf built in' 'run it with dash, bash or busybox sh' ;;
  esac
  version=$(gpg --version | sed -n '1s/^[^)]*) \([0-9]*\.[0-9]*\).*/\1/p')
  case $version in
    '' | 0.* | 1.* | 2.0 | 2.1) fail 2 "gpg here is of version $version" 'install GnuPG 2.2 or newer' ;;
  esac
  [ -z "$check_only" ] || return 0
  version=$(psql --version | sed -n '1s/^[^)]*) \([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 14 ] ||
    fail 2 "psql here is of version $version" 'install the client tools of PostgreSQL 14 or newer'
}

prepare() {
  trap 'finish $?' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d "${TMPDIR:-/tmp}/restore.XXXXXX")
  mkdir "$work/gnupg"
  case $0 in
    */*) cd -P -- "${0%/*}" ;;
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
        signed_by=${rest##* }
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
      [ "${signed_at:-1}" -le "${ended_at:-0}" ] || good=no
      say "warning: the key that signed $1 has expired since"
      ;;
    revoked)
      cat "$work/messages" >&2
      fail 15 "the key that signed $1 is revoked" \
        'where you know that the revocation is from after it was signed and for no bad reason, give the key as it was before'
      ;;
  esac
  if [ "$verified" != 0 ] || [ -z "$signed_by" ] || [ "$good" = no ] || [ "$good" = bad ]; then
    cat "$work/messages" >&2
    fail 15 "$1 has no good signature by a key in $signer: this is not what was made" \
      'take another copy of the backup; do not go on with this one'
  fi
}

digest_of() {
  if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -c 1-64
}

# Name, size, SHA-256 and content's size (or -) of each object, one a line.
list_objects() {
  sed -n '/^"objects": \[$/,/^\]/{
s/^{"name":"\([A-Za-z0-9._\/-]*\)","size":\([0-9]*\),"sha256":"\([0-9a-f]*\)","content":\([0-9]*\)[,}].*/\1 \2 \3 \4/p
s/^{"name":"\([A-Za-z0-9._\/-]*\)","size":\([0-9]*\),"sha256":"\([0-9a-f]*\)"}.*/\1 \2 \3 -/p
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
    half=$(tr -d ' \t\r\n' <"$2")
    is_half "$3" || fail 14 "$2 does not hold the half of side $1 of this backup"
    return 0
  fi
  # New custodians have an envelope with a number in its name.
  for envelope in "envelopes/$1.asc" "envelopes/$1".[0-9]*.asc; do
    [ -f "$envelope" ] || continue
    say "asking gpg to open $envelope"
    half=$(gpg --quiet --decrypt -- "$envelope" | tr -d ' \t\r\n')
    if [ -n "$half" ]; then
      is_half "$3" || fail 14 "$envelope does not hold the half of side $1 of this backup"
      return 0
    fi
  done
  if ! (: </dev/tty) 2>/dev/null; then
    fail 14 "the half of side $1 is missing" \
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
  printf '\n' >/dev/tty
  half=$(printf '%s' "$half" | tr -d ' \t\r\n')
}

unlock() {
  if [ -t 0 ]; then
    GPG_TTY=${GPG_TTY:-$(tty)}
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
      grep -q "^{\"format\":\"pgveil erasures 1\",\"number\":$records,\"previous\":$before," "$record" ||
        fail 15 "$record does not follow the record before it" 'bring the objects below erasures/ back from another copy'
      [ "$records" -ne "$ledger_number" ] || [ "$digest" = "$ledger_digest" ] ||
        fail 15 "$record is not the record that this backup knows" 'bring the objects below erasures/ back from another copy'
      before="\"$digest\""
      if grep -q "\"name\":\"$chain\",\"check\":" "$record"; then erased=yes; fi
    done
    for record in "$erasures"/[0-9]*.json; do
      [ -f "$record" ] || continue
      number=${record##*/}
      [ "${number%.json}" -le "$records" ] || fail 15 "$erasures/$((records + 1)).json is missing" \
        'bring the objects below erasures/ back from another copy'
    done
  fi
  [ "$ledger_number" -le "$records" ] ||
    fail 15 "the ledger of erasures is not here, or cut off: $records of at least $ledger_number records" \
      'fetch erasures/ as well, put it beside this directory or name it by --erasures'
  [ "$records" -eq 0 ] || say "ledger of erasures: $records records, as signed"
  [ -z "$erased" ] || [ -n "$check_only" ] || [ -n "$erasure_secret" ] ||
    fail 14 'persons of this database were erased since, and without the secret of the ledger they would come back' \
      'give it by --erasure-secret FILE: what erasure.secret of pgveil.yaml holds'
  [ -z "$erasure_secret" ] || [ -r "$erasure_secret" ] || fail 14 "cannot read $erasure_secret"
}

# In hexadecimal, without the line break at its end.
secret_hex() {
  od -A n -v -t x1 <"$erasure_secret" | tr -d ' \n' | sed -e 's/0d0a$//' -e t -e 's/0a$//'
}

# The ledger and its key as temporary tables of a session of psql.
ledger_sql() {
  printf '%s\n' "$erasure_setup" "$erasure_copy_records;"
  number=0
  while [ "$number" -lt "$records" ]; do
    number=$((number + 1))
    # A backslash is doubled in what COPY reads.
    sed 's/\\/\\\\/g' "$erasures/$number.json"
  done
  printf '%s\n' '\.' "$erasure_copy_key;"
  printf '%s\t%s\t%s\t{}\n' "$chain" "$(secret_hex)" "$records"
  printf '%s\n' '\.' "$erasure_derive" "$erasure_read"
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
  printf '%s\n' "$erasure_replay" 'VACUUM;'
}

# Runs one stage of a pipe and tells on 3 how it ended: a shell asks only the last one.
stage() {
  stage_name=$1
  shift
  stage_status=0
  "$@" 3>&- || stage_status=$?
  printf '%s %s\n' "$stage_name" "$stage_status" >&3
}

unseal() {
  printf '%s\n' "$passphrase" | own_gpg --pinentry-mode loopback --passphrase-fd 0 --output - --decrypt -- "$1"
}

# What is in an object; for use in a pipe that ends in a stage, with 3 open.
content() {
  stage gpg unseal "$1" | stage zstd zstd -q -d -c
}

# How the stages of a pipe ended, and what the last printed, in one line and a certain order.
gather() {
  LC_ALL=C sort | tr -d ' ' | tr '\n' ' '
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
  PGDATABASE=$query_database psql -X -w -q -v ON_ERROR_STOP=1 ${server:+-d} ${server:+"$server"} "$@"
}

# A value that SQL finds in the catalogs of the server.
ask() {
  printf '%s\n' "$1" | query "$maintenance" -A -t -v database="$database" -v building="$building" -f -
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
    fail 12 "cannot connect to database $maintenance of the server" \
      'set PGHOST, PGPORT and PGUSER, or give --server; a service file must not name a database'
  fi
  restrict=
  if query "$maintenance" -c '\restrict probe' >/dev/null 2>&1; then
    restrict="\\restrict $(od -A n -t x1 -N 16 /dev/urandom | tr -d ' \n')"
  fi
  server_version=$(ask 'SHOW server_version_num')
}

check_server() {
  for name in "$database" "$building"; do
    found=$(printf '%s\n' "SELECT 'there' FROM pg_catalog.pg_database WHERE datname = :'name'" |
      query "$maintenance" -A -t -v name="$name" -f -)
    [ -z "$found" ] || fail 16 "there is a database $name already" \
      'nothing is overwritten: give another name, or drop that one by hand'
  done
  [ "$server_version" -ge "$((source_version / 10000 * 10000))" ] ||
    say 'warning: this server is older than the one that was backed up; it may not know everything that is in it'
  [ -z "$extensions" ] || missing=$(ask "$extensions")
  [ -z "$missing" ] || fail 12 "extensions that the server does not have: $missing" \
    'install the packages that carry them on the machine of the server'
  if [ -n "$money" ] && ! query "$maintenance" -c "$money" >/dev/null 2>&1; then
    say 'warning: this server does not know the locale in which amounts of type money were printed'
    money=
  fi
}

create_database() {
  printf 'CREATE DATABASE :"building" TEMPLATE template0 %s;\n' "$1" |
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
  [ -z "$restrict" ] || printf '%s\n' "$restrict"
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
  query "$building" -v VERBOSITY=sqlstate -c "$session" -c "${money:-$session}" -c '\set QUIET off' -c "$1"
}

# Object, rows, name for people, COPY: loads one segment of a table in one transaction.
rows() {
  say "loading: $1, $2 rows of $3"
  outcome=$({ content "$1" | stage psql copy_in "$4"; } 3>&1 </dev/null | gather)
  [ "$outcome" = "COPY$2 gpg0 psql0 zstd0 " ] ||
    fail 12 "$1 did not become $2 rows of $3 ($outcome)" \
      'the full message may quote a row, so only its code is shown: run it by hand as RESTORE.md says to see it'
}

large_objects() {
  sql_object "$building" "$1" sqlstate \
    'the full message may quote content, so only its code is shown: run it by hand as RESTORE.md says to see it'
}

# Structure after the rows, settings, erasures and views in one session, which none of these settings reaches yet.
last_session() {
  guard
  content post-data.sql.pgp
  content settings.sql.pgp
  erase_again
  printf '%s\n' "$after"
}

complete_database() {
  say 'running: post-data.sql.pgp, settings.sql.pgp, materialized views, ANALYZE'
  outcome=$({ last_session | stage psql run_sql "$building" terse; } 3>&1 </dev/null | gather)
  [ "$outcome" = 'gpg0 gpg0 psql0 zstd0 zstd0 ' ] ||
    fail 12 "constraints, indexes, triggers and settings did not run to their end ($outcome)"
}

rename_database() {
  printf '%s\n' 'ALTER DATABASE :"building" RENAME TO :"database";' |
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
  sql_object "$building" pre-data.sql.pgp terse \
    'what is missing on this server, a role or an extension, has to be made there first'
  restore_rows
  complete_database
  rename_database
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
