"""The rig around the 55 bones: controls, constraints, limits, shapes."""
