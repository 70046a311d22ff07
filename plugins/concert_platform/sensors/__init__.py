"""Airflow sensors of the platform: only what provider-amazon lacks."""
