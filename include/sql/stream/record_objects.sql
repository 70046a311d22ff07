-- quality.stream_object remembers the micro-batches of the load, which are not loaded again. One that another load has brought
-- meanwhile stays with that one. Reads stream_object, stream_record. Values: run_id.
DELETE FROM quality.stream_object WHERE load_run_id = {{ run_id | sql_slug }};

INSERT INTO quality.stream_object (object_name, etag, modified_at, bytes, records, load_run_id, loaded_at)
SELECT
    stream_object.object_name, stream_object.etag, stream_object.modified_at, stream_object.bytes,
    NVL(counted.records, 0), {{ run_id | sql_slug }}, GETDATE()
FROM stream_object
LEFT JOIN (SELECT object_name, COUNT(*) AS records FROM stream_record GROUP BY object_name) AS counted
    ON counted.object_name = stream_object.object_name
LEFT JOIN quality.stream_object AS known
    ON known.modified_at = stream_object.modified_at
        AND known.object_name = stream_object.object_name
        AND known.etag = stream_object.etag
WHERE known.object_name IS NULL;
