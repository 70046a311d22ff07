-- What the roles of 0045_roles.sql may do, with the tables that are there and with those that later migrations add; only
-- loader makes tables. Owner: data-platform.
GRANT ALL ON SCHEMA staging, core, marts, quality, ml TO ROLE loader;
GRANT ALL ON ALL TABLES IN SCHEMA staging, core, marts, quality, ml TO ROLE loader;
ALTER DEFAULT PRIVILEGES IN SCHEMA staging, core, marts, quality, ml GRANT ALL ON TABLES TO ROLE loader;
GRANT USAGE ON SCHEMA core, marts, quality, ml TO ROLE analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA core, marts, quality, ml TO ROLE analyst;
ALTER DEFAULT PRIVILEGES IN SCHEMA core, marts, quality, ml GRANT SELECT ON TABLES TO ROLE analyst;
GRANT USAGE ON SCHEMA marts, ml TO ROLE api;
GRANT SELECT ON ALL TABLES IN SCHEMA marts, ml TO ROLE api;
ALTER DEFAULT PRIVILEGES IN SCHEMA marts, ml GRANT SELECT ON TABLES TO ROLE api;
GRANT USAGE ON SCHEMA core, marts TO ROLE ml;
GRANT SELECT ON ALL TABLES IN SCHEMA core, marts TO ROLE ml;
ALTER DEFAULT PRIVILEGES IN SCHEMA core, marts GRANT SELECT ON TABLES TO ROLE ml;
GRANT USAGE ON SCHEMA ml TO ROLE ml;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ml TO ROLE ml;
ALTER DEFAULT PRIVILEGES IN SCHEMA ml GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ROLE ml;
