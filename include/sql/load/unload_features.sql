-- Write features of models as Parquet, all of one moment: what is learnt from, and what is to be forecast.
-- Values: features (file below include/sql and uri of each), as_of, warehouse_role. Running it again replaces what it wrote,
-- also by nothing: no row is no file, and a file of the first try would be taken for rows (CLEANPATH).
{% for feature in features %}
UNLOAD ($$
{% include feature.file %}
$$)
TO {{ feature.uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET PARALLEL OFF CLEANPATH;
{% endfor %}
