"""A package of its own, since some installed distributions bring a `tests` too."""
