"""Colours of what the photo does not show."""
