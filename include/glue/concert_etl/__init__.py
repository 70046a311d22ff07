"""Curation of an ingest run, as transforms of Spark frames; concert_etl_job.py reads, writes and publishes.

    raw        what the run delivered: index, manifests, files as frames of text
    pages      records of JSON documents, whatever the API
    mapping    a box-office file's columns become the canonical ones
    event, artist, venue, setlist, box_office, interaction
               from text to typed columns, and the rules that a record must keep
    rules      the first rule that a record breaks, with the reason
    curation   repeats, curated rows, rejected records
    accounts   read = curated + quarantined + deduplicated
    references the artists and venues that good records name, and the ids that they get
    identity   which artist or venue of the platform that is: the rules, in plain Python
    registry   what was resolved before; resolution puts these together for a run
    gates      the Great Expectations suite of what was written
    publishing files, catalogue and reports

A frame on its way has these columns beside those of its entity:

    _meta      where a record comes from: source (of the manifest), ingested_at, file_name, position in the file; once
               judged, columns of their own (PROVENANCE)
    _record    the original record as JSON text; once judged, of rejected ones alone
    _row       what an interaction's _record is made of
    _records   number of records that make up the report; 1 unless the mapping groups
    _rows      number of rows that the record becomes; 1 unless it is a setlist with songs
    _malformed why a record could not be read at all, else null
    _text      the record's values as cleaned text, by canonical name
    _broken    rule and reason, null for a good record
    _repeat    whether a later record of the run has the same key
    _artist_keys, _performer, _songs
               external ids of the artist; artist or else show of a report; rows of a setlist
"""
