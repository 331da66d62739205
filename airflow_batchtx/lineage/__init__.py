"""What a task read and wrote, told to Airflow's assets and to OpenLineage."""
