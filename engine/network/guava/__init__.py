"""GUAVA (second paper): template and UV Gaussians with latent features, and a neural refiner."""
