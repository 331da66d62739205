"""Job control: one job for one piece of work, never twice, never lost, never left running. Runs without Airflow."""
