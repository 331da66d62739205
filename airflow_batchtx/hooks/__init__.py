"""Airflow hooks: the one place where a client is made of a connection."""
