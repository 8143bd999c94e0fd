"""The body landmarks: those that a user can see and set, and the bones between them.

Light to import: Blender's scene reads it.
"""

ADJUSTABLE = {
    "nose": 0,
    "left_ear": 7,
    "right_ear": 8,
    "left_shoulder": 11,
    "right_shoulder": 12,
    "left_elbow": 13,
    "right_elbow": 14,
    "left_wrist": 15,
    "right_wrist": 16,
    "left_hip": 23,
    "right_hip": 24,
    "left_knee": 25,
    "right_knee": 26,
    "left_ankle": 27,
    "right_ankle": 28,
}
"""Name -> number of the landmark among the detector's 33."""

POSE_BONES = (
    (11, 12),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
    (23, 25),
    (25, 27),
    (24, 26),
    (26, 28),
)
"""Pairs of the detector's 33 landmarks whose line runs through the middle of a limb."""
