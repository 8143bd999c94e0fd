"""Synthetic people whose pose, shape and visibility are known: ground truth for the tracker."""
