# One image for all services of docker-compose.yaml: Airflow with this package, its local engine and moto's S3.
ARG AIRFLOW_VERSION=3.3.2
FROM apache/airflow:${AIRFLOW_VERSION}-python3.11

COPY --chown=airflow:root pyproject.toml constraints.txt README.md /opt/airflow/batchtx/
COPY --chown=airflow:root airflow_batchtx /opt/airflow/batchtx/airflow_batchtx
COPY --chown=airflow:root dags /opt/airflow/batchtx/dags
RUN pip install --no-cache-dir --constraint /opt/airflow/batchtx/constraints.txt '/opt/airflow/batchtx[demo]'
