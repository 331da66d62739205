"""What AWS tells of objects and of jobs, read. All of it is Python alone: it goes into Lambda functions as it is."""
