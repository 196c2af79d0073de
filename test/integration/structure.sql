CREATE ROLE reader;
CREATE ROLE owner_elsewhere;
CREATE EXTENSION citext;
COMMENT ON EXTENSION citext IS 'case does not matter';
CREATE SCHEMA "Odd ""schema"".x";
CREATE SCHEMA crm;
COMMENT ON SCHEMA crm IS 'semicolons; here''s one';

CREATE TYPE crm.status AS ENUM ('new', 'it''s; done');
CREATE DOMAIN crm.zip AS text DEFAULT '0000' CONSTRAINT four CHECK (VALUE ~ '^\d{4}$');
CREATE TYPE crm.place AS (zip crm.zip, city text);
CREATE TYPE crm.span AS RANGE (subtype = int4);

CREATE FUNCTION crm.quoted() RETURNS text LANGUAGE plpgsql AS $body$
begin
  -- a header of its own, as pg_dump writes them:
--
-- Name: nothing; Type: TABLE; Schema: crm; Owner: -
--
  return $x$;'$x$ || E'\'; ' || $$ -- $$;
end $body$;
CREATE FUNCTION crm.atomic(a int) RETURNS int LANGUAGE sql IMMUTABLE
  BEGIN ATOMIC SELECT a + 1; SELECT a + 2; END;
CREATE PROCEDURE crm.nothing() LANGUAGE sql AS 'select 1;';
CREATE AGGREGATE crm.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');

CREATE TABLE crm.account (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name citext NOT NULL DEFAULT 'x;y',
  status crm.status NOT NULL DEFAULT 'new',
  places crm.place[],
  zip crm.zip,
  upper_name text GENERATED ALWAYS AS (upper(name::text)) STORED,
  parent bigint REFERENCES crm.account DEFERRABLE INITIALLY DEFERRED,
  span int4range,
  CONSTRAINT name_length CHECK (length(name) < 200),
  UNIQUE (name, status),
  EXCLUDE USING gist (span WITH &&)
);
COMMENT ON COLUMN crm.account.name IS 'mail kiss.bela@ceg.hu; about this';
CREATE INDEX account_lower ON crm.account (lower(name::text)) WHERE status = 'new';
COMMENT ON INDEX crm.account_lower IS 'an index';
COMMENT ON CONSTRAINT name_length ON crm.account IS 'a check';
ALTER TABLE crm.account CLUSTER ON account_pkey;
ALTER TABLE crm.account ALTER name SET STATISTICS 500;
CREATE STATISTICS crm.account_names ON name, status FROM crm.account;

CREATE TABLE crm.contact (
  id serial PRIMARY KEY,
  account bigint NOT NULL,
  favourite bigint,
  email text DEFAULT 'nagy.eva@ceg.hu'
);
ALTER TABLE crm.contact ADD CONSTRAINT contact_account FOREIGN KEY (account) REFERENCES crm.account ON DELETE CASCADE;
ALTER TABLE crm.account ADD COLUMN main_contact int REFERENCES crm.contact;
ALTER TABLE crm.contact ADD CONSTRAINT unchecked FOREIGN KEY (favourite) REFERENCES crm.account NOT VALID;
ALTER TABLE crm.contact ADD CONSTRAINT later CHECK (email <> '') NOT VALID;
ALTER TABLE crm.contact REPLICA IDENTITY USING INDEX contact_pkey;

CREATE TABLE crm.event (id bigint, at date NOT NULL, kind text NOT NULL, account bigint REFERENCES crm.account)
  PARTITION BY RANGE (at);
CREATE TABLE crm.event_2025 PARTITION OF crm.event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (kind);
CREATE TABLE crm.event_2025_call PARTITION OF crm.event_2025 FOR VALUES IN ('call', 'toth.kata@ceg.hu');
CREATE TABLE crm.event_2025_rest PARTITION OF crm.event_2025 DEFAULT;
CREATE TABLE crm.event_rest PARTITION OF crm.event DEFAULT;
ALTER TABLE crm.event ADD PRIMARY KEY (id, at, kind);
CREATE INDEX event_account ON crm.event (account);
CREATE TABLE crm.echo (id bigint, at date, kind text, FOREIGN KEY (id, at, kind) REFERENCES crm.event);

CREATE TABLE crm.animal (name text NOT NULL, legs int DEFAULT 4);
CREATE TABLE crm.dog (CONSTRAINT bark CHECK (name <> 'cat')) INHERITS (crm.animal);
ALTER TABLE crm.dog ALTER legs SET DEFAULT 3;

CREATE TABLE "Odd ""schema"".x"."Tab;le
 -- Name: ""x""" ("Col.umn" int PRIMARY KEY, "%s \" text DEFAULT '\', "select" int);
COMMENT ON TABLE "Odd ""schema"".x"."Tab;le
 -- Name: ""x""" IS E'line\n--\n-- Name: fake; Type: TABLE\n--\n;';
CREATE INDEX "in""dex" ON "Odd ""schema"".x"."Tab;le
 -- Name: ""x""" ("select");

CREATE VIEW crm.names AS SELECT id, name FROM crm.account WHERE name <> 'boss@ceg.hu';
CREATE VIEW crm.counted AS SELECT a.id, a.name, count(*) AS n FROM crm.account a JOIN crm.contact c ON c.account = a.id GROUP BY a.id;
CREATE MATERIALIZED VIEW crm.counts AS SELECT id, n FROM crm.counted;
CREATE UNIQUE INDEX counts_id ON crm.counts (id);
CREATE MATERIALIZED VIEW crm.by_key AS SELECT a.id, a.name FROM crm.account a GROUP BY a.id;
CREATE INDEX by_key_name ON crm.by_key (name);

CREATE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql AS $$ begin return new; end; $$;
CREATE TRIGGER touch BEFORE UPDATE ON crm.account FOR EACH ROW EXECUTE FUNCTION crm.touch('arg;');
CREATE TRIGGER off AFTER INSERT ON crm.account FOR EACH ROW EXECUTE FUNCTION crm.touch();
ALTER TABLE crm.account DISABLE TRIGGER off;
CREATE TRIGGER part AFTER INSERT ON crm.event FOR EACH ROW EXECUTE FUNCTION crm.touch();
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON crm.contact DEFERRABLE FOR EACH ROW EXECUTE FUNCTION crm.touch();
COMMENT ON TRIGGER touch ON crm.account IS 'a trigger';
CREATE RULE no_delete AS ON DELETE TO crm.contact DO INSTEAD NOTHING;

ALTER TABLE crm.account ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.account FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON crm.account USING (id > 0);
CREATE POLICY readers ON crm.account FOR SELECT TO reader USING (name = CURRENT_USER);
COMMENT ON POLICY readers ON crm.account IS 'a policy';

CREATE FUNCTION crm.fires() RETURNS event_trigger LANGUAGE plpgsql AS $$ begin raise exception 'no more tables'; end; $$;
CREATE EVENT TRIGGER no_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX') EXECUTE FUNCTION crm.fires();
COMMENT ON EVENT TRIGGER no_ddl IS 'an event trigger';
ALTER EVENT TRIGGER no_ddl DISABLE;

CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'elsewhere');
CREATE USER MAPPING FOR reader SERVER far OPTIONS (user 'u', password 'top secret');
CREATE FOREIGN TABLE crm.far_away (id int NOT NULL DEFAULT 1) SERVER far;
COMMENT ON COLUMN crm.far_away.id IS 'far';
CREATE VIEW crm.from_far AS SELECT id FROM crm.far_away;
CREATE VIEW crm.from_far_too AS SELECT id FROM crm.from_far;
COMMENT ON VIEW crm.from_far_too IS 'far too';
CREATE PUBLICATION everything FOR TABLE crm.contact;
GRANT SELECT ON crm.account TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA crm GRANT SELECT ON TABLES TO reader;
ALTER TABLE crm.contact OWNER TO owner_elsewhere;
