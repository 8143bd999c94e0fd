"""The parts of build.py: plain Python 3.11, nothing installed."""
