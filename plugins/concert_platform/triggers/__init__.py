"""Airflow triggers of the platform: only what provider-amazon lacks."""
