"""Estimators of pose as components: our own, and adapters to others' outputs.

Every estimate is in the project's conventions (docs/CONVENTIONS.md) and for the photo's camera;
whatever comes from elsewhere is converted in :mod:`.convert` and nowhere else.
"""

from .estimate import (
    DenseGuide,
    Estimator,
    FrameEstimator,
    KeypointEstimate,
    KeypointEstimator,
    PoseEstimate,
    merge_estimates,
    name_sources,
)
from .estimate_file import KINDS, FileEstimator, load_estimate
from .landmark_lifter import LandmarkLifter
from .rotation_prior import init_from_estimate, rotation_prior_term
from .visibility import ask_estimators, choose_estimates

__all__ = [
    "KINDS",
    "DenseGuide",
    "Estimator",
    "FileEstimator",
    "FrameEstimator",
    "KeypointEstimate",
    "KeypointEstimator",
    "LandmarkLifter",
    "PoseEstimate",
    "ask_estimators",
    "choose_estimates",
    "init_from_estimate",
    "load_estimate",
    "merge_estimates",
    "name_sources",
    "rotation_prior_term",
]
