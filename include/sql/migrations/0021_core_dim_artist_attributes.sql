-- core.dim_artist: what the artist records know. is_inferred: no record yet, a fact alone has named the artist; the
-- members that were there before have no record either. genres: sorted, joined by '; '. Owner: data-platform.
ALTER TABLE core.dim_artist ADD COLUMN musicbrainz_id VARCHAR(64);
ALTER TABLE core.dim_artist ADD COLUMN spotify_id VARCHAR(64);
ALTER TABLE core.dim_artist ADD COLUMN ticketmaster_id VARCHAR(64);
ALTER TABLE core.dim_artist ADD COLUMN genres VARCHAR(4096);
ALTER TABLE core.dim_artist ADD COLUMN popularity INTEGER;
ALTER TABLE core.dim_artist ADD COLUMN followers BIGINT;
ALTER TABLE core.dim_artist ADD COLUMN is_inferred BOOLEAN DEFAULT TRUE NOT NULL;
