"""The contract between Batch Transform and a model container: client, launchers, handler server."""
