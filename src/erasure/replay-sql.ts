/**
 * The SQL that removes erased persons from a restored database: the same text for pgveil and, through psql, for
 * restore.sh. Ledger and key come by COPY, which no log and no list of activity shows. Everything of it is temporary.
 *
 * Hashes are HMAC-SHA-256 (RFC 2104) put together of the server's own sha256().
 */

/** Begins the session's part: nothing of the database's own reacts to what follows, where that is permitted. */
const QUIET = `DO $pgveil$ BEGIN
  PERFORM pg_catalog.set_config('session_replication_role', 'replica', false);
  PERFORM pg_catalog.set_config(name, 'off', false) FROM pg_catalog.pg_settings WHERE name = 'event_triggers';
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $pgveil$;`

/** Makes the places for what is copied in, and the functions. */
export const SETUP_SQL = `${QUIET}
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
    pg_catalog.get_byte(k || pg_catalog.decode(pg_catalog.repeat('00', 64 - pg_catalog.length(k)), 'hex'), i) # mask
  ), 2, '0'), '' ORDER BY i), 'hex')
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
  charset name := CASE pg_catalog.getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END;
BEGIN
  SELECT pg_temp.pgveil_pad(e.key, 54), pg_temp.pgveil_pad(e.key, 92) INTO STRICT inner_pad, outer_pad
    FROM pg_temp.pgveil_erasure e;
  FOR wanted IN SELECT DISTINCT w.schema, w.tbl, w.col FROM pg_temp.pgveil_wanted w LOOP
    found_one := false;
    FOR leaf IN
      WITH RECURSIVE tree (id) AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = wanted.schema AND c.relname = wanted.tbl AND c.relkind IN ('r', 'p')
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.id)
      SELECT c.oid, c.relkind, (
        WITH RECURSIVE base (typname, typbasetype) AS (
          SELECT t.typname, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
          UNION ALL SELECT t.typname, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype)
        SELECT b.typname FROM base b WHERE b.typbasetype = 0) IN ('citext', 'uuid') AS folds
      FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.id
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = wanted.col AND a.attnum > 0
        AND NOT a.attisdropped
    LOOP
      found_one := true;
      CONTINUE WHEN leaf.relkind <> 'r';
      RETURN QUERY EXECUTE pg_catalog.format(
        'SELECT r.tableoid, r.ctid FROM ONLY %s r
         WHERE pg_catalog.sha256($1 || pg_catalog.sha256($2 || pg_catalog.convert_to(%s, $3))) IN (
           SELECT w.%I FROM pg_temp.pgveil_wanted w WHERE w.schema = $4 AND w.tbl = $5 AND w.col = $6)',
        leaf.oid::regclass,
        pg_catalog.format(CASE WHEN leaf.folds THEN 'pg_catalog.lower(r.%I::text)' ELSE 'r.%I::text' END, wanted.col),
        CASE WHEN leaf.folds THEN 'folded' ELSE 'hash' END)
        USING outer_pad, inner_pad, charset, wanted.schema, wanted.tbl, wanted.col;
    END LOOP;
    IF NOT found_one THEN
      INSERT INTO pg_temp.pgveil_unfound VALUES (pg_catalog.format('%I.%I', wanted.schema, wanted.tbl), wanted.col)
        ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
END $pgveil$;

-- How the rows of a foreign key's tables, t and r, belong together.
CREATE FUNCTION pg_temp.pgveil_join(con oid) RETURNS text LANGUAGE sql AS $pgveil$
  SELECT pg_catalog.string_agg(pg_catalog.format('t.%I OPERATOR(%I.%s) r.%I', p.attname, n.nspname, o.oprname, f.attname), ' AND ')
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
    SELECT CASE WHEN c.confmatchtype <> 'f' OR NOT pg_catalog.bool_or(a.attnotnull) THEN
      pg_catalog.array_agg(a.attname) FILTER (WHERE NOT a.attnotnull AND (
        pg_catalog.to_json(c) ->> 'confdelsetcols' IS NULL OR a.attnum::text IN (
          SELECT pg_catalog.json_array_elements_text(pg_catalog.to_json(c) -> 'confdelsetcols')))) END
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
  FROM pg_catalog.pg_constraint c WHERE c.oid = con
  $pgveil$;

-- Foreign keys to one of these tables or to a partitioned table that one belongs to.
CREATE FUNCTION pg_temp.pgveil_keys_to(rels oid[]) RETURNS SETOF pg_catalog.pg_constraint LANGUAGE sql AS $pgveil$
  SELECT c FROM pg_catalog.pg_constraint c
  WHERE c.contype = 'f' AND c.conparentid = 0 AND (c.confrelid = ANY (rels)
    OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.confrelid) p WHERE p.relid = ANY (rels)))
  ORDER BY c.oid
  $pgveil$;

-- The name of a table for FROM: of one that is partitioned with its partitions, of others without what inherits.
CREATE FUNCTION pg_temp.pgveil_from(rel oid) RETURNS text LANGUAGE sql AS $pgveil$
  SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || c.oid::regclass FROM pg_catalog.pg_class c WHERE c.oid = rel
  $pgveil$;
`

/** Each line of the ledger is one row of one column: no JSON holds that character. Backslashes are doubled. */
export const COPY_RECORDS_SQL = `COPY pg_temp.pgveil_records FROM STDIN WITH (DELIMITER E'\\x02')`

/** One row: chain; key, or secret, in hexadecimal; number of records; what the configuration says of references, as JSON. */
export const COPY_KEY_SQL = 'COPY pg_temp.pgveil_erasure (name, given, total, overrides) FROM STDIN'

/** For restore.sh, which copies the secret in: the key of it, see hash.ts. */
export const DERIVE_SQL = `UPDATE pg_temp.pgveil_erasure SET given = pg_catalog.encode(pg_temp.pgveil_hmac(
  pg_temp.pgveil_hmac(pg_catalog.convert_to('pgveil', 'SQL_ASCII'), pg_catalog.decode(given, 'hex')),
  pg_catalog.convert_to('erasure ledger', 'SQL_ASCII') || pg_catalog.decode('01', 'hex')), 'hex');`

/** What the ledger says of this chain. SQLSTATE PV002: with another secret. */
export const READ_SQL = `UPDATE pg_temp.pgveil_erasure SET key = pg_catalog.decode(given, 'hex');
INSERT INTO pg_temp.pgveil_wanted
  SELECT r.record::json ->> 'schema', r.record::json ->> 'table', r.record::json ->> 'column',
    pg_catalog.decode(k ->> 'hash', 'hex'), pg_catalog.decode(k ->> 'folded', 'hex')
  FROM pg_temp.pgveil_records r JOIN pg_temp.pgveil_erasure e ON e.name = r.record::json ->> 'name',
    pg_catalog.json_array_elements(r.record::json -> 'keys') AS k;
INSERT INTO pg_temp.pgveil_references
  SELECT DISTINCT ON (said.tbl) said.tbl, said.action FROM (
    SELECT (r.record::json ->> 'number')::int AS number, s.key AS tbl, s.value AS action
    FROM pg_temp.pgveil_records r JOIN pg_temp.pgveil_erasure e ON e.name = r.record::json ->> 'name',
      pg_catalog.json_each_text(r.record::json -> 'references') AS s
    UNION ALL
    SELECT 2147483647, s.key, s.value FROM pg_temp.pgveil_erasure e, pg_catalog.json_each_text(e.overrides::json) AS s
  ) AS said ORDER BY said.tbl, said.number DESC;
DO $pgveil$ BEGIN
  IF (SELECT e.total FROM pg_temp.pgveil_erasure e) IS DISTINCT FROM (SELECT pg_catalog.count(*) FROM pg_temp.pgveil_records) THEN
    RAISE EXCEPTION 'the ledger of erasures did not arrive whole';
  END IF;
  IF EXISTS (SELECT FROM pg_temp.pgveil_records r, pg_temp.pgveil_erasure e WHERE r.record::json ->> 'check' <>
    pg_catalog.encode(pg_temp.pgveil_hmac(e.key, pg_catalog.convert_to('pgveil erasure check', 'SQL_ASCII')), 'hex'))
  THEN
    RAISE EXCEPTION 'the ledger of erasures was made with another secret' USING ERRCODE = 'PV002';
  END IF;
END $pgveil$;
`

/** Finds what refers to erased rows, round by round, until nothing does. SQLSTATE PV001: nothing says what becomes of some. */
const SPREAD = `  INSERT INTO pg_temp.pgveil_doomed SELECT m.rel, m.line, 0 FROM pg_temp.pgveil_match() m ON CONFLICT DO NOTHING;
  LOOP
    SELECT pg_catalog.array_agg(DISTINCT d.rel) INTO rels FROM pg_temp.pgveil_doomed d WHERE d.round = depth;
    EXIT WHEN rels IS NULL;
    ANALYZE pg_temp.pgveil_doomed;
    FOR con IN SELECT * FROM pg_temp.pgveil_keys_to(rels) LOOP
      TRUNCATE pg_temp.pgveil_referring;
      EXECUTE pg_catalog.format('INSERT INTO pg_temp.pgveil_referring SELECT r.tableoid, r.ctid FROM %s r WHERE EXISTS (
        SELECT FROM %s t JOIN pg_temp.pgveil_doomed d ON d.rel = t.tableoid AND d.line = t.ctid WHERE d.round = $1 AND %s)',
        pg_temp.pgveil_from(con.conrelid), pg_temp.pgveil_from(con.confrelid), pg_temp.pgveil_join(con.oid)) USING depth;
      CONTINUE WHEN NOT EXISTS (SELECT FROM pg_temp.pgveil_referring);
      SELECT n.nspname || '.' || c.relname INTO referring FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = con.conrelid;
      decided := CASE con.confdeltype WHEN 'c' THEN 'delete' WHEN 'n' THEN 'null' ELSE (
        SELECT s.action FROM pg_temp.pgveil_references s WHERE s.tbl IN (referring, '*') ORDER BY s.tbl = '*' LIMIT 1) END;
      clearable := pg_temp.pgveil_clearable(con.oid);
      IF decided = 'delete' THEN
        INSERT INTO pg_temp.pgveil_doomed SELECT f.rel, f.line, depth + 1 FROM pg_temp.pgveil_referring f
          ON CONFLICT DO NOTHING;
      ELSIF decided = 'null' AND clearable IS NOT NULL THEN
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
    RAISE EXCEPTION 'rows of %.% refer to erased ones by constraint %, and nothing says what becomes of them',
      con.nspname, con.relname, con.conname USING ERRCODE = 'PV001', SCHEMA = con.nspname, TABLE = con.relname,
      CONSTRAINT = con.conname;
  END IF;
`

/** Triggers and rules of the user's must not see them go: a log of deletions would keep the person. */
const SILENCE = `  SELECT pg_catalog.array_agg(DISTINCT touched.rel) INTO rels FROM (
    SELECT d.rel FROM pg_temp.pgveil_doomed d UNION SELECT c.rel FROM pg_temp.pgveil_cleared c) AS touched;
  fires := CASE pg_catalog.current_setting('session_replication_role') WHEN 'replica' THEN ARRAY['A', 'R'] ELSE ARRAY['O', 'A'] END;
  SELECT pg_catalog.array_agg(pg_catalog.format('ALTER TABLE %s DISABLE %s', s.rel::regclass, s.what)),
    pg_catalog.array_agg(pg_catalog.format('ALTER TABLE %s ENABLE %s%s', s.rel::regclass, CASE s.mode WHEN 'A' THEN 'ALWAYS '
      WHEN 'R' THEN 'REPLICA ' ELSE '' END, s.what)) INTO silence, wake
    FROM (
      SELECT t.tgrelid AS rel, t.tgenabled::text AS mode, pg_catalog.format('TRIGGER %I', t.tgname) AS what
        FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
      UNION ALL SELECT w.ev_class, w.ev_enabled::text, pg_catalog.format('RULE %I', w.rulename)
        FROM pg_catalog.pg_rewrite w WHERE w.ev_type IN ('2', '4')
    ) AS s WHERE s.rel = ANY (rels) AND s.mode = ANY (fires);
  FOREACH statement IN ARRAY COALESCE(silence, '{}') LOOP EXECUTE statement; END LOOP;
`

/** References first, then the rows that refer, then those they refer to. */
const REMOVE = `  FOR part IN SELECT g.rel, g.cols, pg_catalog.array_agg(g.line) AS lines FROM (
      SELECT c.rel, c.line, pg_catalog.array_agg(c.col ORDER BY c.col) AS cols FROM pg_temp.pgveil_cleared c GROUP BY c.rel, c.line
    ) AS g GROUP BY g.rel, g.cols LOOP
    EXECUTE pg_catalog.format('UPDATE ONLY %s SET %s WHERE ctid = ANY ($1)', part.rel::regclass,
      (SELECT pg_catalog.string_agg(pg_catalog.format('%I = NULL', c), ', ') FROM pg_catalog.unnest(part.cols) AS c)) USING part.lines;
    GET DIAGNOSTICS counted = ROW_COUNT;
    INSERT INTO pg_temp.pgveil_erased (tbl, cleared) VALUES (part.rel::regclass::text, counted);
  END LOOP;
  FOR part IN SELECT d.rel, pg_catalog.array_agg(d.line) AS lines FROM pg_temp.pgveil_doomed d
    GROUP BY d.round, d.rel ORDER BY d.round DESC, d.rel LOOP
    EXECUTE pg_catalog.format('DELETE FROM ONLY %s WHERE ctid = ANY ($1)', part.rel::regclass) USING part.lines;
    GET DIAGNOSTICS counted = ROW_COUNT;
    INSERT INTO pg_temp.pgveil_erased (tbl, deleted) VALUES (part.rel::regclass::text, counted);
  END LOOP;
  SET CONSTRAINTS ALL IMMEDIATE;
  FOREACH statement IN ARRAY COALESCE(wake, '{}') LOOP EXECUTE statement; END LOOP;
`

/** No foreign key may point to what is gone. SQLSTATE PV003: one does, or a person is still there. */
const ASSURE = `  SELECT pg_catalog.array_agg(DISTINCT d.rel) INTO rels FROM pg_temp.pgveil_doomed d;
  FOR con IN SELECT * FROM pg_temp.pgveil_keys_to(rels) k WHERE k.convalidated LOOP
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s r WHERE %s AND NOT EXISTS (SELECT FROM %s t WHERE %s))',
      pg_temp.pgveil_from(con.conrelid),
      (SELECT pg_catalog.string_agg(pg_catalog.format('r.%I IS NOT NULL', a.attname), ' AND ') FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = con.conrelid AND a.attnum = ANY (con.conkey)),
      pg_temp.pgveil_from(con.confrelid), pg_temp.pgveil_join(con.oid)) INTO dangling;
    IF dangling THEN
      RAISE EXCEPTION 'rows still refer to erased ones by constraint %', con.conname
        USING ERRCODE = 'PV003', CONSTRAINT = con.conname;
    END IF;
  END LOOP;
`

const ABSENT = `  IF EXISTS (SELECT FROM pg_temp.pgveil_match()) THEN
    RAISE EXCEPTION 'an erased person is still there' USING ERRCODE = 'PV003';
  END IF;
`

/** All or nothing: what goes, goes with everything that refers to it. What was done is told as notices, too. */
export const REPLAY_SQL = `DO $pgveil$
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
${SPREAD}${SILENCE}${REMOVE}${ASSURE}${ABSENT}  PERFORM pg_catalog.set_config('client_min_messages', 'notice', true);
  FOR part IN SELECT u.tbl, u.col FROM pg_temp.pgveil_unfound u LOOP
    RAISE NOTICE 'warning: there is no column % of % in which the ledger of erasures could look', part.col, part.tbl;
  END LOOP;
  FOR part IN SELECT e.tbl, sum(e.deleted) AS deleted, sum(e.cleared) AS cleared FROM pg_temp.pgveil_erased e
    GROUP BY e.tbl ORDER BY e.tbl LOOP
    RAISE NOTICE 'erased again: % rows of %, % more cleared of a reference', part.deleted, part.tbl, part.cleared;
  END LOOP;
END $pgveil$;
`

/** SQLSTATE PV003 where an erased person is there. */
export const ABSENT_SQL = `DO $pgveil$ BEGIN
${ABSENT}END $pgveil$;
`

export const RESULT_SQL = `SELECT tbl AS "table", sum(deleted)::int AS deleted, sum(cleared)::int AS cleared
  FROM pg_temp.pgveil_erased GROUP BY tbl ORDER BY tbl`

export const UNFOUND_SQL =
  'SELECT tbl AS "table", col AS "column" FROM pg_temp.pgveil_unfound ORDER BY 1, 2'

/** Nothing of it stays in the session, the key least of all. */
export const CLEAN_SQL = `DROP FUNCTION pg_temp.pgveil_match(), pg_temp.pgveil_hmac(bytea, bytea), pg_temp.pgveil_pad(bytea, int),
  pg_temp.pgveil_join(oid), pg_temp.pgveil_clearable(oid), pg_temp.pgveil_keys_to(oid[]), pg_temp.pgveil_from(oid);
DROP TABLE pg_temp.pgveil_records, pg_temp.pgveil_erasure, pg_temp.pgveil_wanted, pg_temp.pgveil_references,
  pg_temp.pgveil_doomed, pg_temp.pgveil_referring, pg_temp.pgveil_cleared, pg_temp.pgveil_undecided, pg_temp.pgveil_unfound,
  pg_temp.pgveil_erased;
`
