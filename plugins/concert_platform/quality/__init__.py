"""The data quality service on Airflow's side: warehouse suites and the replay of rejected records.

The suites of raw and curated data run in the Glue job (include/expectations), where the data is.
"""
