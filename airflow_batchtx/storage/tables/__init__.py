"""Tables in objects: CSV and Parquet as streams of Arrow record batches."""
