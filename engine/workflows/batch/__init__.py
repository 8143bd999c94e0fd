"""Many portraits at once: what is asked, what of it is there, what came of the rest."""
