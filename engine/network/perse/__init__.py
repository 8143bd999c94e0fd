"""PERSE: one person's avatar with a latent space of attributes."""
