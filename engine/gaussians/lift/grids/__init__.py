"""Tools on grids of pixels, whatever they show."""
