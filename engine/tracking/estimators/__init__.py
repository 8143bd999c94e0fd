"""Estimators of pose as components: our own, and adapters to others' outputs.

Every estimate is in the project's conventions (docs/CONVENTIONS.md) and for the photo's camera;
whatever comes from elsewhere is converted in :mod:`.convert` and nowhere else.
"""

from .estimate import Estimator, KeypointEstimate, KeypointEstimator, PoseEstimate, merge_estimates
from .fitting import init_from_estimate, rotation_prior_term
from .lifted import LandmarkLifter
from .load import KINDS, FileEstimator, load_estimate

__all__ = [
    "KINDS",
    "PoseEstimate",
    "Estimator",
    "FileEstimator",
    "KeypointEstimate",
    "KeypointEstimator",
    "LandmarkLifter",
    "load_estimate",
    "merge_estimates",
    "rotation_prior_term",
    "init_from_estimate",
]
