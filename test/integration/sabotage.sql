CREATE EXTENSION citext;
CREATE EXTENSION pg_trgm;
CREATE SCHEMA sales;
CREATE TABLE contact (id serial PRIMARY KEY, email citext NOT NULL UNIQUE, name text NOT NULL, note text);
INSERT INTO contact (email, name, note)
  SELECT format('person%s@example.org', i), md5(i::text), repeat('n', i % 50) FROM generate_series(1, 500) i;
CREATE TABLE sales.purchase (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  contact_id int NOT NULL REFERENCES contact,
  amount numeric(12, 2) NOT NULL CONSTRAINT amount_not_negative CHECK (amount >= 0),
  placed timestamptz NOT NULL DEFAULT now()
);
INSERT INTO sales.purchase (contact_id, amount) SELECT 1 + i % 500, i FROM generate_series(1, 900) i;
CREATE INDEX purchase_placed ON sales.purchase (placed);
CREATE INDEX contact_name_trgm ON contact USING gin (name gin_trgm_ops);
CREATE TABLE visit (id int, place text) PARTITION BY HASH (id);
CREATE TABLE visit_0 PARTITION OF visit FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO visit SELECT i, 'place ' || i FROM generate_series(1, 200) i;
CREATE TABLE setting (name text PRIMARY KEY, value text);
INSERT INTO setting VALUES ('currency', 'HUF'), ('country', 'HU');
CREATE TABLE twin_1 (x text);
INSERT INTO twin_1 VALUES ('salt');
CREATE TABLE twin_2 (x text);
INSERT INTO twin_2 VALUES ('mint');
CREATE TABLE empty_one (id int);
CREATE SEQUENCE invoice_number START 1000;
SELECT nextval('invoice_number'), nextval('invoice_number');
CREATE VIEW big_purchase AS SELECT * FROM sales.purchase WHERE amount > 500;
CREATE MATERIALIZED VIEW totals AS SELECT contact_id, sum(amount) AS total FROM sales.purchase GROUP BY 1;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := coalesce(NEW.note, ''); RETURN NEW; END $$;
CREATE TRIGGER touch_contact BEFORE INSERT ON contact FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no changes here'; END $$;
ALTER TABLE contact ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON contact USING (name <> '');
COMMENT ON TABLE contact IS 'people';
SELECT lo_from_bytea(70001, decode(repeat('ab', 5000), 'hex')), lo_from_bytea(70002, 'short');
CREATE EVENT TRIGGER guard_ddl ON ddl_command_start EXECUTE FUNCTION guard();
