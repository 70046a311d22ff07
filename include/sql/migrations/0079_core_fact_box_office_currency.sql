-- core.fact_box_office: currencies in capital letters, as curation writes them now and core.box_office_usd compares them.
-- Owner: data-platform.
UPDATE core.fact_box_office SET currency = UPPER(currency) WHERE currency <> UPPER(currency);
