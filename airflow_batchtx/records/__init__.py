"""HOW bytes become requests, and answers become outputs. Pure: no I/O."""
