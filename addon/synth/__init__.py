"""Synthetic people drawn by Cycles, and the run that makes thousands of them."""
