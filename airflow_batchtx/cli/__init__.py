"""The command line `batchtx`."""
