"""Gaussians of hair that no texel carries: strands, locks and what shows between them."""
