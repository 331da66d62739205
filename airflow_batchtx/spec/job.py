"""TransformJob (being written)."""


class TransformJob:
    """Placeholder while the house is being built."""
