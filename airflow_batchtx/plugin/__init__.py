"""The page of transform jobs in Airflow's UI."""
