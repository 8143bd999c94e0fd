"""Refining: the lift's Gaussians fitted to the photo by what a camera would see of them."""
