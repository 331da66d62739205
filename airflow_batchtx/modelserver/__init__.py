"""The container contract of SageMaker: a client for it, launchers of model servers, and a server for handlers."""
