-- Take away the loads that the marts show now; last in the transaction of their refresh. Values: due_keys.
DELETE FROM quality.mart_due WHERE due_key IN ({{ due_keys | sql_slugs }});
