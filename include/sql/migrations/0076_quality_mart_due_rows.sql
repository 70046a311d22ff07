-- quality.mart_due begins with the marts as a whole: which loads they lack was not kept before. Owner: analytics.
INSERT INTO quality.mart_due (run_id, dt, is_whole, loaded_at)
VALUES ('before-mart-due', NULL, TRUE, GETDATE());
