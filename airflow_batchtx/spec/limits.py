"""Every number, pattern and list that CreateTransformJob is held to.

A test asserts that each agrees with the service model that botocore ships, but for those that AWS states in prose
only; their source stands beside them.
"""

from __future__ import annotations

import re

# API reference, MaxPayloadInMB: "cannot be greater than 100 MB"; "the value of MaxConcurrentTransforms *
# MaxPayloadInMB must not exceed 100".
MAX_PAYLOAD_IN_MB = 100
MAX_PAYLOAD_PRODUCT_MB = 100
# API reference, InstanceCount: at most 100; the account's quota binds long before.
MAX_INSTANCE_COUNT = 100

NAME_LENGTH = 63
NAME_PATTERN = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
MODEL_NAME_PATTERN = r"[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?"
EXPERIMENT_NAME_PATTERN = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}"
KMS_KEY_PATTERN = r"[a-zA-Z0-9:/_-]*"
AMI_VERSION_PATTERN = r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*"
# What a user may begin a job's name with: all that spec.naming makes a name of. AWS's own rule is NAME_PATTERN.
PREFIX_PATTERN = r".*[a-zA-Z0-9].*"
# The model's pattern takes any https, and how SageMaker resolves it is not documented. Path-style ones can be read
# (Amazon S3 User Guide, path-style requests: https://s3.<Region>.amazonaws.com/<bucket>/<key>, older forms included);
# a bucket in the host name is not guessed at.
S3_URI_PATTERN = r"(?:s3://|https://s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/)([^/]+)/?(.*)"
ENVIRONMENT_NAME_PATTERN = r"[a-zA-Z_][a-zA-Z0-9_]{0,1023}"
# The model's [\p{L}\p{Z}\p{N}_.:/=+\-@]*, in the words of Python's re (\w is letters, digits and the underscore).
TAG_PATTERN = r"[\w\s.:/=+\-@]*"
# Not in the model: keys that the service refuses, in whatever case.
RESERVED_TAG = r"[aA][wW][sS]:"
# API reference, TransformEnvironmentMap and Tag: the most characters.
ENVIRONMENT_VALUE_LENGTH = 10240
TAG_KEY_LENGTH, TAG_VALUE_LENGTH = 128, 256
# Not in the model: the shape of every instance type there is. An unknown type of this shape is only warned of, since
# the installed botocore lags AWS.
INSTANCE_TYPE_PATTERN = r"ml\.[a-z][a-z0-9-]*\.[a-z0-9-]+"

# What a filter may hold besides letters and digits (message of the service, boto/boto3#3136).
JSON_PATH_OPERATORS = ("$", "[", "]", "*", ".", " ", ",", ":", "-", "'")
FILTER_PATTERN = rf"\$[a-zA-Z0-9{re.escape(''.join(JSON_PATH_OPERATORS))}]*"
# Developer guide, batch-transform-data-processing: the types that filters and joins work on.
PROCESSED_TYPES = ("text/csv", "application/json", "application/jsonlines")

# API reference, VolumeKmsKeyId: families with local instance storage, which has its own encryption.
LOCAL_STORAGE = frozenset({"g4dn", "g5", "g6", "g6e", "trn1"})

_SIZES = {
    "m4": "xlarge 2xlarge 4xlarge 10xlarge 16xlarge",
    "c4": "xlarge 2xlarge 4xlarge 8xlarge",
    "p2": "xlarge 8xlarge 16xlarge",
    "p3": "2xlarge 8xlarge 16xlarge",
    "c5": "xlarge 2xlarge 4xlarge 9xlarge 18xlarge",
    "m5": "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge",
    **dict.fromkeys(("m6i", "c6i", "r6i"), "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
    **dict.fromkeys(("m7i", "c7i", "r7i"), "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    "g4dn": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    **dict.fromkeys(("g5", "g6", "g6e"), "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    "trn1": "2xlarge 32xlarge",
    "inf2": "xlarge 8xlarge 24xlarge 48xlarge",
}
INSTANCE_TYPES = tuple(f"ml.{family}.{size}" for family, sizes in _SIZES.items() for size in sizes.split())
