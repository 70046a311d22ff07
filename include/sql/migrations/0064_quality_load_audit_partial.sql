-- quality.load_audit: a second meaning of 'partial', in the catalogue and in the data dictionary. Owner: data-platform.
COMMENT ON TABLE quality.load_audit IS
'Also partial: a run whose records another one''s withdrawal concerns; it has no report_etag and is loaded again.';
