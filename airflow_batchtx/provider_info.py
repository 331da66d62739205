"""What Airflow discovers of this provider (being written)."""
