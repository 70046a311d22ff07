-- core.dim_date: one day from 1900-01-01 to 2100-12-31.
-- Key calendar_date. On every node, since each fact joins it. Source: 0007_core_dim_date_days.sql. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.dim_date (
    calendar_date DATE NOT NULL,
    year INTEGER NOT NULL,
    quarter INTEGER NOT NULL,
    month INTEGER NOT NULL,
    day_of_month INTEGER NOT NULL,
    iso_week INTEGER NOT NULL,
    weekday INTEGER NOT NULL,  -- 0 is Sunday
    is_weekend BOOLEAN NOT NULL
) DISTSTYLE ALL SORTKEY (calendar_date);
