"""Task groups (being written)."""
