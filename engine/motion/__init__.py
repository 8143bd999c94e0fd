"""Motion of any skeleton on ours, whatever its bone names, rest pose and size."""
