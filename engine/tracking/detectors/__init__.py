"""The landmark detectors: MediaPipe's networks in LiteRT, driven by numpy."""

from .blazepose import DetectedPerson
from .face_mesh import FaceBox, FaceLandmarks
from .hands import HandLandmarks
from .roi import Roi
from .suite import Detectors

__all__ = ["DetectedPerson", "Detectors", "FaceBox", "FaceLandmarks", "HandLandmarks", "Roi"]
