-- Events of the stream that core.fact_fan_event holds more than once; after a load those that came within a day.
-- An id that comes again more than 31 days later is another event, as it is for the aggregates.
-- Severity: fail. Table: core.fact_fan_event
SELECT event_id, COUNT(*) AS copies
FROM core.fact_fan_event
{% if run_ids %}
WHERE event_id IN (
    SELECT written.event_id FROM core.fact_fan_event AS written
    WHERE written.loaded_at >= DATEADD(day, -1, GETDATE())
)
{% endif %}
GROUP BY event_id
HAVING COUNT(*) > 1 AND DATEDIFF(day, MIN(event_date), MAX(event_date)) <= 31
