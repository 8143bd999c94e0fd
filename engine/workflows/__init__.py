"""What users run: build, track, render, export and batch, from files to files."""
