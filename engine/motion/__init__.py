"""Motion of any skeleton on ours: bone names, rest poses and sizes are made up for."""
