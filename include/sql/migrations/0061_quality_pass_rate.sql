-- quality.pass_rate: one suite on one day, over all runs of that day: how many expectations were met.
-- Reads quality.check_result. Owner: data-platform.
CREATE OR REPLACE VIEW quality.pass_rate AS
SELECT
    suite, dt, COUNT(DISTINCT run_id) AS runs, COUNT(*) AS expectations,
    SUM(CASE WHEN success THEN 1 ELSE 0 END) AS passed,
    SUM(CASE WHEN NOT success AND severity = 'critical' THEN 1 ELSE 0 END) AS stopped,
    CAST(SUM(CASE WHEN success THEN 1 ELSE 0 END) AS DECIMAL(18, 4)) / COUNT(*) AS pass_rate
FROM quality.check_result
GROUP BY suite, dt;
