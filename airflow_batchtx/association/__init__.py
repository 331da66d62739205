"""From inputs, outputs and kept columns to one proved table."""
