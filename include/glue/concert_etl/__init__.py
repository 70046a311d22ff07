"""Curation of an ingest run, as transforms of Spark frames; concert_etl_job.py reads, writes and publishes.

    raw        what the run delivered: index, manifests, files as frames of text
    mapping    a box-office file's columns become the canonical ones
    box_office, event, interaction
               from text to typed columns, and the rules that a record must keep
    rules      the first rule that a record breaks, with the reason
    curation   repeats, curated rows, rejected records
    accounts   read = curated + quarantined + deduplicated
    gates      the Great Expectations suite of what was written
    publishing files, catalogue and reports

A frame on its way has these columns beside those of its entity:

    _meta      where a record comes from: source (of the manifest), run_id, ingested_at, file_name, position in the file
    _record    the original record as JSON text
    _records   number of records that make up the report; 1 unless the mapping groups
    _malformed why a record could not be read at all, else null
    _text      the record's values as cleaned text, by canonical name
    _broken    rule and reason, null for a good record
    _repeat    whether a later record of the run has the same key
"""
