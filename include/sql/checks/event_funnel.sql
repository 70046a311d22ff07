-- Concerts that the mart holds twice for a day, or with less than nobody. Severity: fail. Table: marts.event_funnel
SELECT event_date, concert_id, COUNT(*) AS copies
FROM marts.event_funnel
{% if run_ids %}
WHERE refreshed_at >= DATEADD(day, -1, GETDATE())
{% endif %}
GROUP BY event_date, concert_id
HAVING COUNT(*) > 1 OR MIN(viewers + interested + clickers + attendees) <= 0
