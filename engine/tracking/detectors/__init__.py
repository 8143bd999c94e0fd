"""The landmark detectors: MediaPipe's networks in LiteRT, driven by numpy."""

from .face import FaceBox, FaceLandmarks
from .hands import HandLandmarks
from .pose import DetectedPerson
from .roi import Roi
from .suite import Detectors

__all__ = ["Detectors", "FaceBox", "FaceLandmarks", "HandLandmarks", "DetectedPerson", "Roi"]
