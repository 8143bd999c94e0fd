"""Files in and out: avatars, Gaussians for other programs, poses."""
