"""A program as AWS documents it: nothing in it knows of the local engine."""

import json
import sys

import boto3

bucket, model_name, job_name = sys.argv[1:]

client = boto3.client("sagemaker")

response = client.create_transform_job(
    TransformJobName=job_name,
    ModelName=model_name,
    TransformInput={
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/input/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    TransformOutput={"S3OutputPath": f"s3://{bucket}/output/"},
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)

waiter = client.get_waiter("transform_job_completed_or_stopped")
waiter.wait(TransformJobName=job_name)

description = client.describe_transform_job(TransformJobName=job_name)
print(json.dumps({"arn": response["TransformJobArn"], "described": description}, default=str))
