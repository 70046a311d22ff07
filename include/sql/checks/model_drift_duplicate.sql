-- Comparisons that are recorded twice. Severity: fail. Table: ml.model_drift
SELECT name, version, kind, feature, statistic, COUNT(*) AS copies
FROM ml.model_drift
GROUP BY name, version, kind, feature, statistic
HAVING COUNT(*) > 1
