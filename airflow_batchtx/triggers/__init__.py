"""Airflow triggers: waiting without a worker slot."""
