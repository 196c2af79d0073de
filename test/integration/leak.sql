-- Every kind of column that holds personal values, each with canaries: {magic} in a text, and constants in
-- columns that hold no text. {rows}: how many.
CREATE EXTENSION citext;
CREATE DOMAIN address AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE role AS ENUM ('buyer', 'seller');

CREATE TABLE person (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  mail varchar(120) NOT NULL UNIQUE,
  alias text,
  login citext UNIQUE,
  second_mail address,
  phone varchar(30),
  notes text,
  custom jsonb,
  raw json,
  nicknames text[],
  photo bytea,
  token uuid,
  seen timestamptz,
  born date,
  salary bigint,
  worth numeric(30, 6),
  ratio float8,
  ip inet,
  role role NOT NULL DEFAULT 'buyer',
  loud text GENERATED ALWAYS AS (upper(mail)) STORED,
  search tsvector GENERATED ALWAYS AS (to_tsvector('simple', name || ' ' || coalesce(notes, ''))) STORED
);
ALTER TABLE person ALTER notes SET STORAGE EXTERNAL;
-- xml and an array of a type of the user's: rows that travel as text
CREATE TABLE letter (
  id bigint PRIMARY KEY,
  person_mail varchar(120) NOT NULL,
  body xml,
  roles role[],
  subject text
);
CREATE TABLE visit (id bigint NOT NULL, visitor text NOT NULL, page text) PARTITION BY HASH (visitor);
CREATE TABLE visit_0 PARTITION OF visit FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES WITH (MODULUS 2, REMAINDER 1);

INSERT INTO person (name, mail, alias, login, second_mail, phone, notes, custom, raw, nicknames, photo, token, seen, born, salary,
  worth, ratio, ip)
SELECT initcap('{magic}') || ' Vilma ' || i, '{magic}' || i || '@kanari.hu', i + 100000 || '{magic}@kanari.hu', upper('{magic}') || i,
  i || '.{magic}@kanari.hu', '{phone}',
  CASE WHEN i % 100 = 1 THEN repeat('Kedves {magic}! ', 500) ELSE 'Hívni: ' || initcap('{magic}') || E'\t{phone}\n' END,
  jsonb_build_object('name', '{magic}' || i, 'list', jsonb_build_array('{magic}', i)), json_build_object('name', '{magic}' || i),
  ARRAY['{magic}' || i, NULL, 'a "{magic}"'], convert_to('{magic}' || i, 'UTF8'), '{uuid}', '{timestamp}', '{date}', {bigint},
  {numeric}, {float}, '{ip}'
FROM generate_series(1, {rows}) i;
INSERT INTO letter SELECT id, mail, xmlparse(content '<to>{magic}' || id || '</to>'), '{seller}', E'\\{magic}\t' FROM person;
INSERT INTO visit SELECT id, '{magic}' || id, '/' || initcap('{magic}') FROM person;

CREATE INDEX person_mail ON person (lower(mail));
CREATE INDEX person_search ON person USING gin (search);
CREATE INDEX person_custom ON person USING gin (custom);
ALTER TABLE letter ADD FOREIGN KEY (person_mail) REFERENCES person (mail);
CREATE MATERIALIZED VIEW directory AS
  SELECT upper(name) AS name, encode(convert_to(mail, 'UTF8'), 'base64') AS mail, encode(photo, 'hex') AS photo FROM person;
CREATE VIEW listing AS SELECT name, mail FROM person;
ANALYZE;
