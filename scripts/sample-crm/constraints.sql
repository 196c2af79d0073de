-- Keys, indexes, views, triggers and policies of the sample CRM, built over the finished rows.

alter table countries add primary key (code);
alter table teams add primary key (id);
alter table users add primary key (id);
alter table companies add primary key (id);
alter table contacts add primary key (id);
alter table addresses add primary key (id);
alter table deals add primary key (id);
alter table tickets add primary key (id);
alter table mails add primary key (id);
alter table calls add primary key (id);
alter table attachments add primary key (id);
alter table sessions add primary key (token);
alter table events add primary key (id, occurred_at);
alter table audit_log add primary key (id);
alter table "Árajánlat Tételek" add primary key ("Azonosító");
alter table billing.invoices add primary key (number);
alter table billing.invoice_lines add primary key (invoice_number, line_number);
alter table billing.payments add primary key (id);
alter table billing.refunds add primary key (id);

alter table users add unique (username), add unique (email);
alter table companies add unique (customer_number);
alter table contacts add unique (email);
alter table contacts add unique (company_id, id);
alter table tickets add unique (reference);
alter table mails add unique (message_id);
create unique index contacts_unsubscribe_token on contacts (unsubscribe_token) where unsubscribe_token is not null;

create index companies_name_trigrams on companies using gin (name gin_trgm_ops);
create index contacts_search on contacts using gin (search);
create index contacts_mobile on contacts (mobile);
create index tickets_search on tickets using gin (search);
create index addresses_contact on addresses (contact_id);
create index tickets_contact on tickets (contact_id);
create index mails_from on mails (lower(from_address));
create index mails_ticket on mails (ticket_id);
create index calls_contact on calls (contact_id, started_at desc);
create index events_contact on events (contact_id);
create index audit_log_row on audit_log (table_name, row_id);
create index "Árajánlat Tételek Ajánlat" on "Árajánlat Tételek" ("Ajánlat");

alter table teams add foreign key (lead_id) references users deferrable initially deferred;
alter table users add foreign key (team_id) references teams;
alter table users add foreign key (manager_id) references users;
alter table companies add foreign key (country_code) references countries;
alter table companies add foreign key (parent_id) references companies;
alter table companies add foreign key (owner_id) references users;
alter table companies add foreign key (primary_contact_id) references contacts deferrable initially deferred;
alter table contacts add foreign key (company_id) references companies;
alter table contacts add foreign key (owner_id) references users;
alter table contacts add foreign key (referred_by) references contacts on delete set null;
alter table addresses add foreign key (contact_id) references contacts on delete cascade;
alter table addresses add foreign key (company_id) references companies on delete cascade;
alter table addresses add foreign key (country_code) references countries;
alter table deals add foreign key (company_id) references companies;
alter table deals add foreign key (company_id, contact_id) references contacts (company_id, id);
alter table deals add foreign key (owner_id) references users;
alter table tickets add foreign key (contact_id) references contacts;
alter table tickets add foreign key (assignee_id) references users;
alter table tickets add foreign key (merged_into) references tickets;
alter table mails add foreign key (ticket_id) references tickets on delete cascade;
alter table mails add foreign key (contact_id) references contacts;
alter table calls add foreign key (contact_id) references contacts;
alter table calls add foreign key (user_id) references users;
alter table attachments add foreign key (ticket_id) references tickets on delete cascade;
alter table sessions add foreign key (user_id) references users on delete cascade;
alter table events add foreign key (contact_id) references contacts;
alter table "Árajánlat Tételek" add foreign key ("Ajánlat") references deals;
alter table billing.invoices add foreign key (customer_number) references companies (customer_number) on update cascade;
alter table billing.invoice_lines add foreign key (invoice_number) references billing.invoices on delete cascade;
alter table billing.payments add foreign key (invoice_number) references billing.invoices;

create view contact_overview as
  select c.id, c.name, c.email, c.mobile, k.name as company, count(t.id) as tickets
  from contacts c
  left join companies k on k.id = c.company_id
  left join tickets t on t.contact_id = c.id
  group by c.id, k.id;

create materialized view contact_directory as
  select c.id, c.name, c.email::text as email, k.name as company, a.zip || ' ' || a.city || ', ' || a.street as address
  from contacts c
  join companies k on k.id = c.company_id
  left join addresses a on a.contact_id = c.id
  where c.status = 'ügyfél';
create index contact_directory_name on contact_directory (name);

create trigger companies_updated before update on companies for each row execute function set_updated_at();
create trigger contacts_updated before update on contacts for each row execute function set_updated_at();
create trigger contacts_audit after insert or update or delete on contacts for each row execute function write_audit();
create trigger tickets_search before insert or update on tickets for each row execute function index_ticket();
create trigger mails_gateway after insert on mails for each row execute function notify_mail_gateway();
alter table mails disable trigger mails_gateway;
alter table contacts enable always trigger contacts_audit;

grant usage on schema billing to crm_app;
grant select, insert, update on contacts, companies, tickets to crm_app;
alter table contacts enable row level security;
alter table tickets enable row level security;
alter table tickets force row level security;
create policy own_contacts on contacts for all to crm_app
  using (owner_id = nullif(current_setting('crm.user_id', true), '')::integer);
create policy assigned_tickets on tickets for select to crm_app
  using (assignee_id = nullif(current_setting('crm.user_id', true), '')::integer or assignee_id is null);
create policy open_tickets on tickets as restrictive for update to public using (closed_at is null);
