-- What only PostgreSQL 18 and later know.

alter table contacts add column initial text generated always as (upper(left(name, 1))) virtual;
