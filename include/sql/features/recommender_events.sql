-- Concerts that a recommendation may be shown with, one row each, after the day as_of. Reads core.fact_event. Values: as_of.
SELECT event_id AS concert_id, artist_id, name, event_date, venue, city, country, status
FROM core.fact_event
WHERE event_date > {{ as_of | sql_date }} AND artist_id IS NOT NULL
