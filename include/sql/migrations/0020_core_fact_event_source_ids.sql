-- core.fact_event: the ids of attraction and venue as the source has them, by which records join events.
-- Owner: data-platform.
ALTER TABLE core.fact_event ADD COLUMN source_artist_id VARCHAR(256);
ALTER TABLE core.fact_event ADD COLUMN source_venue_id VARCHAR(256);
