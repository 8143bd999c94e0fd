"""Many portraits at once: inputs, existing results, and the outcome of the rest."""
