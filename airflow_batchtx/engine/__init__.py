"""The local engine: speaks SageMaker's Batch Transform API and runs the jobs."""
