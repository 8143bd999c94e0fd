"""Where detectors put face landmarks on real people, against the plainly painted baked head.

The landmark correspondence of the body file was found on renders of one bald head with painted
brows and hairline. On photographs the same network puts brows lower and nearer to each other and
the forehead's rows higher. Left alone, that is explained away by lowered brows in every
expression. The table holds the medians over 16 frontal photographs of different people (scatter
about 1 mm, left and right agree within 0.4 mm); a bake that paints the head otherwise needs it
measured again.
"""

from __future__ import annotations

import numpy as np

from ..types import FloatArray

#: Right and left landmark (or one alone): millimetres towards the middle of the face, upwards,
#: and forwards, in the rest pose.
SHIFTS: dict[tuple[int, ...], tuple[float, float, float]] = {
    (10,): (0.0, 4.2, 0.0), (109, 338): (0.0, 4.0, 0.0), (67, 297): (0.1, 3.2, 0.0),
    (103, 332): (0.3, 2.1, 0.0), (69, 299): (1.4, 2.4, 0.0), (104, 333): (1.3, 0.9, 0.0),
    (108, 337): (0.6, 3.6, 0.0), (151,): (0.0, 3.9, 0.0), (105, 334): (2.1, -1.5, 0.0),
    (66, 296): (2.4, -1.5, 0.0), (63, 293): (0.5, -2.6, 0.0), (107, 336): (1.4, -1.4, 0.0),
    (9,): (0.0, -1.0, 0.0), (52, 282): (1.8, -1.6, 0.0), (65, 295): (2.4, -2.1, 0.0),
    (53, 283): (0.8, -1.6, 0.0), (70, 300): (0.0, -2.6, 0.0), (55, 285): (1.6, -2.5, 0.0),
    (46, 276): (0.2, -1.8, 0.0), (223, 443): (1.2, -0.8, 0.0), (8,): (0.0, -1.8, 0.0),
    (222, 442): (1.4, -1.4, 0.0), (221, 441): (1.3, -1.9, 0.0), (28, 258): (0.6, -0.9, 0.0),
    (156, 383): (0.0, -1.3, 0.0), (56, 286): (0.6, -1.2, 0.0), (168,): (0.0, -1.0, 0.0),
    (193, 417): (0.5, -1.3, 0.0), (189, 413): (1.2, -1.0, 0.0), (35, 265): (-1.0, -0.1, 0.0),
    (154, 381): (-1.2, 0.0, 0.0), (244, 464): (1.0, 0.3, 0.0), (163, 390): (-0.9, 0.6, 0.0),
    (144, 373): (-1.0, 0.1, 0.0), (51, 281): (-1.3, 0.3, 0.0), (123, 352): (0.9, 0.6, 0.0),
    (131, 360): (1.3, 0.3, 0.0), (177, 401): (-1.8, -1.1, 0.0), (215, 435): (-1.3, -0.7, 0.0),
    (182, 406): (0.3, -1.0, 0.0), (204, 424): (0.6, -1.3, 0.0), (83, 313): (0.2, -1.1, 0.0),
    (199,): (0.0, 1.1, 0.0), (148, 377): (-0.5, -1.2, 0.0), (152,): (0.0, -1.6, 0.0),
    # the inner edges of the lips
    (95, 324): (0.5, 1.7, 0.0), (88, 318): (-0.4, 0.9, 0.0), (178, 402): (0.3, 1.1, 0.0),
    (87, 317): (0.7, 1.8, 0.0), (14,): (0.0, 1.9, 0.0), (191, 415): (-0.5, 0.8, 0.0),
    (80, 310): (-0.5, 0.6, 0.0), (81, 311): (-0.3, 0.5, 0.0), (82, 312): (0.3, 0.6, 0.0),
    (13,): (0.0, 1.0, 0.0),
    # the outline of cheeks and jaw, which slides as the head turns
    (234, 454): (-2.8, -2.2, -17.0), (93, 323): (-2.3, -3.1, -14.0),
    (132, 361): (-4.2, -4.6, -23.0), (58, 288): (-7.1, -5.2, -25.0), (397,): (-10.0, -3.0, -27.0),
    (447,): (-2.0, -1.0, -12.0), (366,): (-2.0, -1.0, -14.0),
}  # fmt: skip


def face_shift(rest: FloatArray) -> FloatArray:
    """[N, 3] metres to add to the rest positions [N, 3] of the first N face landmarks."""
    out = np.zeros((len(rest), 3))
    for rows, (inwards, upwards, forwards) in SHIFTS.items():
        for row in rows:
            out[row] = (-np.sign(rest[row, 0]) * inwards, upwards, forwards)
    return out * 1e-3
