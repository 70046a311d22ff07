-- core.dim_date gets the days from 1900-01-01 to 2100-12-31 that it lacks: what the record rules let through. Digits,
-- because generate_series runs on Redshift's leader node only and cannot fill a table.
INSERT INTO core.dim_date (
    calendar_date, year, quarter, month, day_of_month, iso_week, weekday, is_weekend
)
WITH digit AS (
    SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
    UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
),

day AS (
    SELECT
        CAST(DATE '1900-01-01' + (
            ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n + 10000 * myriads.n
        ) AS DATE) AS calendar_date
    FROM digit AS ones
    CROSS JOIN digit AS tens
    CROSS JOIN digit AS hundreds
    CROSS JOIN digit AS thousands
    CROSS JOIN (SELECT n FROM digit WHERE n < 8) AS myriads
)

SELECT
    day.calendar_date,
    CAST(EXTRACT(YEAR FROM day.calendar_date) AS INTEGER),
    CAST(EXTRACT(QUARTER FROM day.calendar_date) AS INTEGER),
    CAST(EXTRACT(MONTH FROM day.calendar_date) AS INTEGER),
    CAST(EXTRACT(DAY FROM day.calendar_date) AS INTEGER),
    CAST(EXTRACT(WEEK FROM day.calendar_date) AS INTEGER),
    CAST(EXTRACT(DOW FROM day.calendar_date) AS INTEGER),
    EXTRACT(DOW FROM day.calendar_date) IN (0, 6)
FROM day
LEFT JOIN core.dim_date AS known ON known.calendar_date = day.calendar_date
WHERE day.calendar_date <= DATE '2100-12-31' AND known.calendar_date IS NULL;
