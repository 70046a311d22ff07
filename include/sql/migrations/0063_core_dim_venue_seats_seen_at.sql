-- core.dim_venue: seats_seen_at is the ingested_at of the report that seats come from; among reports of one last day, and
-- among those without a day, the newest one counts, in whichever order they are loaded. Owner: data-platform.
ALTER TABLE core.dim_venue ADD COLUMN seats_seen_at TIMESTAMP;
