"""WHAT a transform job is: typed, frozen, checked before it is sent."""
