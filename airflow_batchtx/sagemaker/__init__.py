"""SageMaker's calls, and those of its logs, over boto3 clients that are handed in; botocore's errors come out typed."""
