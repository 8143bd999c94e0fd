"""Synthetic people rendered by Cycles, and runs that make thousands of them."""
