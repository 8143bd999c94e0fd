"""Polishing: a small network that changes what the photo does not show squarely."""
