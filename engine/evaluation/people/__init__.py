"""People made up at random and drawn by the engine's own z-buffer: truth for the tracker."""
