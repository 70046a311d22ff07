-- Places of a user's list that are taken twice. Severity: fail. Table: ml.recommendation
SELECT user_id, algorithm, position, COUNT(*) AS copies
FROM ml.recommendation
GROUP BY user_id, algorithm, position
HAVING COUNT(*) > 1
