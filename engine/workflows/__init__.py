"""What users ask for: build, track, render, export and batch, from files to files."""
