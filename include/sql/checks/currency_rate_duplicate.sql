-- Years of a currency with more than one rate, or with a rate that is none. Severity: fail. Table: core.currency_rate
SELECT currency, year, COUNT(*) AS copies
FROM core.currency_rate
GROUP BY currency, year
HAVING COUNT(*) > 1 OR MIN(rate) <= 0
