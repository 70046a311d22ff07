-- Concerts that the mart shows with another artist or venue than core's event. After a load: of the events that its runs have
-- written, and those of the week before it, whose refresh may have gone wrong. Severity: fail. Table: marts.event_funnel
SELECT funnel.event_date, funnel.concert_id, funnel.artist_id, funnel.venue_id
FROM marts.event_funnel AS funnel
INNER JOIN (
    SELECT
        event_id, artist_id, venue_id,
        ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY ingested_at DESC, source ASC) AS _rank
    FROM core.fact_event
    {% if run_ids %}
    WHERE event_id IN (
        SELECT written.event_id FROM core.fact_event AS written
        WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
            OR written.updated_run_id IN (
{% set entity = "event" %}
{% include "checks/shared/runs_of_the_week.sql" %}
            )
    )
    {% endif %}
) AS listed
    ON listed.event_id = funnel.concert_id AND listed._rank = 1
WHERE NVL(funnel.artist_id, '') <> NVL(listed.artist_id, '') OR NVL(funnel.venue_id, '') <> NVL(listed.venue_id, '')
