-- Write the features of the sales model as Parquet: what was sold, and what is to be forecast, both of one moment.
-- Values: history_uri, upcoming_uri, as_of, warehouse_role. Running it again overwrites the same file (PARALLEL OFF).
UNLOAD ($$
{% include "features/sales_history.sql" %}
$$)
TO {{ history_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET PARALLEL OFF ALLOWOVERWRITE;

UNLOAD ($$
{% include "features/sales_upcoming.sql" %}
$$)
TO {{ upcoming_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET PARALLEL OFF ALLOWOVERWRITE;
