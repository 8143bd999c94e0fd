"""Estimators of pose as components: our own, and adapters to others' outputs.

Every estimate is in the project's conventions (docs/CONVENTIONS.md) and for the photo's camera;
whatever comes from elsewhere is converted in :mod:`.convert` and nowhere else.
"""

from .estimate import Estimate, Estimator, KeypointEstimate, KeypointEstimator, merged
from .fitting import near_term, start_from
from .lifted import LiftedLandmarks
from .load import KINDS, FileEstimator, load_estimate

__all__ = [
    "KINDS",
    "Estimate",
    "Estimator",
    "FileEstimator",
    "KeypointEstimate",
    "KeypointEstimator",
    "LiftedLandmarks",
    "load_estimate",
    "merged",
    "near_term",
    "start_from",
]
