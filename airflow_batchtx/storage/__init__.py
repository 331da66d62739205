"""Objects in S3 as streams."""
