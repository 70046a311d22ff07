-- Take the stage away: a session of the Data API may serve the next load.
DROP TABLE IF EXISTS stream_event_change;
DROP TABLE IF EXISTS stream_fan_event;
DROP TABLE IF EXISTS stream_account;
DROP TABLE IF EXISTS stream_span;
DROP TABLE IF EXISTS stream_event;
DROP TABLE IF EXISTS stream_record;
DROP TABLE IF EXISTS stream_object;
