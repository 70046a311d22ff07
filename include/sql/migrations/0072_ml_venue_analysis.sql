-- ml.venue_analysis: what the venue model says of one venue; analysis is the whole of it as JSON text.
-- Holds the last publication only. evidence: weak below 3 engagements, strong from 10.
-- Key (venue_id), checks/venue_analysis_duplicate.sql.
-- Source: load/publish_venue_analysis.sql. Owner: data-science.
CREATE TABLE IF NOT EXISTS ml.venue_analysis (
    venue_id VARCHAR(64) NOT NULL,
    venue VARCHAR(4096),
    evidence VARCHAR(16) NOT NULL,
    attendance_rate DECIMAL(8, 4),  -- estimate of the share of seats that an engagement sells
    analysis VARCHAR(65535) NOT NULL,
    as_of DATE NOT NULL,
    model_name VARCHAR(128) NOT NULL,
    model_version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    published_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (venue_id);
