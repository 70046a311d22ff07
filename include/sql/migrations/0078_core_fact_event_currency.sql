-- core.fact_event: currencies in capital letters, as curation writes them now. Owner: data-platform.
UPDATE core.fact_event SET currency = UPPER(currency) WHERE currency <> UPPER(currency);
