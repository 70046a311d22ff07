-- Functions that Redshift has and PostgreSQL lacks, or answers otherwise. The schema stands before pg_catalog in the
-- search path of every local Redshift session, so that its functions win. Runs again whenever this file changes.

CREATE SCHEMA IF NOT EXISTS redshift_compatibility;
SET LOCAL search_path = redshift_compatibility, pg_catalog;

-- Which statements have committed: what a restarted emulator asks about those that it left under way.
CREATE TABLE IF NOT EXISTS statement_log (
    id text PRIMARY KEY,
    client_token text UNIQUE,
    committed_at timestamptz NOT NULL DEFAULT now()
);

-- ---------------------------------------------------------------- dates
CREATE OR REPLACE FUNCTION getdate() RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;

CREATE OR REPLACE FUNCTION sysdate() RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT now() AT TIME ZONE 'UTC' $$;

CREATE OR REPLACE FUNCTION date_unit(part text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE lower(part)
    WHEN 'y' THEN 'year' WHEN 'yr' THEN 'year' WHEN 'years' THEN 'year' WHEN 'yrs' THEN 'year'
    WHEN 'qtr' THEN 'quarter' WHEN 'quarters' THEN 'quarter'
    WHEN 'mon' THEN 'month' WHEN 'mons' THEN 'month' WHEN 'months' THEN 'month'
    WHEN 'w' THEN 'week' WHEN 'weeks' THEN 'week'
    WHEN 'd' THEN 'day' WHEN 'days' THEN 'day'
    WHEN 'h' THEN 'hour' WHEN 'hr' THEN 'hour' WHEN 'hours' THEN 'hour'
    WHEN 'm' THEN 'minute' WHEN 'min' THEN 'minute' WHEN 'mins' THEN 'minute' WHEN 'minutes' THEN 'minute'
    WHEN 's' THEN 'second' WHEN 'sec' THEN 'second' WHEN 'secs' THEN 'second' WHEN 'seconds' THEN 'second'
    WHEN 'ms' THEN 'millisecond' WHEN 'us' THEN 'microsecond'
    ELSE lower(part) END $$;

CREATE OR REPLACE FUNCTION dateadd(part text, amount bigint, moment timestamp) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT moment + CASE date_unit(part)
    WHEN 'quarter' THEN amount * interval '3 months'
    ELSE amount * ('1 ' || date_unit(part))::interval END $$;

-- The number of boundaries of the unit between two moments.
CREATE OR REPLACE FUNCTION datediff(part text, earlier timestamp, later timestamp) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE date_unit(part)
    WHEN 'year' THEN extract(year FROM later) - extract(year FROM earlier)
    WHEN 'quarter' THEN (extract(year FROM later) - extract(year FROM earlier)) * 4
        + extract(quarter FROM later) - extract(quarter FROM earlier)
    WHEN 'month' THEN (extract(year FROM later) - extract(year FROM earlier)) * 12
        + extract(month FROM later) - extract(month FROM earlier)
    WHEN 'week' THEN (date_trunc('week', later)::date - date_trunc('week', earlier)::date) / 7
    WHEN 'day' THEN later::date - earlier::date
    WHEN 'hour' THEN extract(epoch FROM date_trunc('hour', later) - date_trunc('hour', earlier)) / 3600
    WHEN 'minute' THEN extract(epoch FROM date_trunc('minute', later) - date_trunc('minute', earlier)) / 60
    WHEN 'second' THEN extract(epoch FROM date_trunc('second', later) - date_trunc('second', earlier))
    WHEN 'millisecond' THEN extract(epoch FROM later - earlier) * 1000
    WHEN 'microsecond' THEN extract(epoch FROM later - earlier) * 1000000
    END::bigint $$;

-- PostgreSQL would turn the date into a timestamp with time zone.
CREATE OR REPLACE FUNCTION date_trunc(part text, day date) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT pg_catalog.date_trunc(part, day::timestamp) $$;

CREATE OR REPLACE FUNCTION trunc(moment timestamp) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT moment::date $$;

CREATE OR REPLACE FUNCTION last_day(moment timestamp) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT (pg_catalog.date_trunc('month', moment) + interval '1 month - 1 day')::date $$;

-- From the last day of a month to the last day of a month.
CREATE OR REPLACE FUNCTION add_months(moment timestamp, months bigint) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN moment::date = last_day(moment)
    THEN last_day(moment + months * interval '1 month') + moment::time
    ELSE moment + months * interval '1 month' END $$;

CREATE OR REPLACE FUNCTION convert_timezone(target text, moment timestamp) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT (moment AT TIME ZONE 'UTC') AT TIME ZONE target $$;

CREATE OR REPLACE FUNCTION convert_timezone(source text, target text, moment timestamp) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT (moment AT TIME ZONE source) AT TIME ZONE target $$;

-- ---------------------------------------------------------------- text and JSON
CREATE OR REPLACE FUNCTION len(value text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT length(value) $$;

CREATE OR REPLACE FUNCTION charindex(part text, value text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT strpos(value, part) $$;

CREATE OR REPLACE FUNCTION sha2(value text, bits integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT encode(CASE bits
    WHEN 224 THEN sha224(convert_to(value, 'UTF8')) WHEN 384 THEN sha384(convert_to(value, 'UTF8'))
    WHEN 512 THEN sha512(convert_to(value, 'UTF8')) ELSE sha256(convert_to(value, 'UTF8')) END, 'hex') $$;

CREATE OR REPLACE FUNCTION strtol(value text, base integer) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE base WHEN 10 THEN value::bigint WHEN 16 THEN ('x' || lpad(value, 16, '0'))::bit(64)::bigint END $$;

CREATE OR REPLACE FUNCTION is_valid_json(value text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT value IS JSON OBJECT $$;

CREATE OR REPLACE FUNCTION json_parse(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT value::jsonb $$;

CREATE OR REPLACE FUNCTION json_extract_path_text(value text, VARIADIC path text[]) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT jsonb_extract_path_text(value::jsonb, VARIADIC path) $$;

-- ---------------------------------------------------------------- aggregates
-- AVG of whole numbers is a whole number on Redshift.
CREATE OR REPLACE FUNCTION average_add(state bigint[], value bigint) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN value IS NULL THEN state ELSE ARRAY[state[1] + 1, state[2] + value] END $$;
CREATE OR REPLACE FUNCTION average_end(state bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT state[2] / nullif(state[1], 0) $$;
CREATE OR REPLACE AGGREGATE avg(smallint) (sfunc = int2_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = average_end);
CREATE OR REPLACE AGGREGATE avg(integer) (sfunc = int4_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = average_end);
CREATE OR REPLACE AGGREGATE avg(bigint) (sfunc = average_add, stype = bigint[], initcond = '{0,0}', finalfunc = average_end);

CREATE OR REPLACE FUNCTION median_end(state numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT avg(value) FROM (
    SELECT value, row_number() OVER (ORDER BY value) AS place, count(*) OVER () AS places
    FROM unnest(state) AS value WHERE value IS NOT NULL) AS ranked
   WHERE place IN ((places + 1) / 2, (places + 2) / 2) $$;
CREATE OR REPLACE FUNCTION median_end(state bigint[]) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT median_end(state::numeric[]) $$;
CREATE OR REPLACE FUNCTION median_end(state integer[]) RETURNS numeric LANGUAGE sql IMMUTABLE AS
$$ SELECT median_end(state::numeric[]) $$;
CREATE OR REPLACE FUNCTION median_end(state double precision[]) RETURNS double precision LANGUAGE sql IMMUTABLE AS
$$ SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM unnest(state) AS value $$;
CREATE OR REPLACE AGGREGATE median(numeric) (sfunc = array_append, stype = numeric[], initcond = '{}', finalfunc = median_end);
CREATE OR REPLACE AGGREGATE median(bigint) (sfunc = array_append, stype = bigint[], initcond = '{}', finalfunc = median_end);
CREATE OR REPLACE AGGREGATE median(integer) (sfunc = array_append, stype = integer[], initcond = '{}', finalfunc = median_end);
CREATE OR REPLACE AGGREGATE median(double precision) (sfunc = array_append, stype = double precision[], initcond = '{}', finalfunc = median_end);
