"""What an animator touches besides the 55 bones: controls, constraints, limits, shapes."""
