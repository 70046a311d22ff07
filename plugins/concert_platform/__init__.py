"""Airflow code shared by the DAGs of the concert data platform."""
