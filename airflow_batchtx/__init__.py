"""Amazon SageMaker Batch Transform for Apache Airflow, with a local engine that speaks the same API."""

from airflow_batchtx.spec.job import TransformJob

__all__ = ["TransformJob", "__version__"]

__version__ = "0.1.0"
