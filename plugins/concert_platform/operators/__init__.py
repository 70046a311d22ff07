"""Airflow operators of the platform: only what provider-amazon lacks."""
