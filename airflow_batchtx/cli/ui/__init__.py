"""`batchtx ui`: Airflow's own pages on this machine, with the example DAGs and the local engine."""
