-- core.dim_venue: what the venue records know. seats_as_of: last day of the report that seats come from, null for a tour's
-- total. is_inferred: no record yet, a fact alone has named the venue. Owner: data-platform.
ALTER TABLE core.dim_venue ADD COLUMN latitude DOUBLE PRECISION;
ALTER TABLE core.dim_venue ADD COLUMN longitude DOUBLE PRECISION;
ALTER TABLE core.dim_venue ADD COLUMN timezone VARCHAR(128);
ALTER TABLE core.dim_venue ADD COLUMN seats_as_of DATE;
ALTER TABLE core.dim_venue ADD COLUMN is_inferred BOOLEAN DEFAULT TRUE NOT NULL;
