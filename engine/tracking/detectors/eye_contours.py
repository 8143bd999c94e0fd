"""Which points of the face mesh the iris network's eye contour refines.

Facts of MediaPipe's published topology: 71 points around each eye, from the lids outwards to
the brow, in the order of the network's output.
"""

from __future__ import annotations

import numpy as np

from ...core.types import IntArray


def _read_points(text: str) -> IntArray:
    return np.array([int(point) for point in text.split()])


RIGHT_EYE = _read_points(
    """
    33 7 163 144 145 153 154 155 133 246 161 160 159 158 157 173 130 25 110 24 23 22 26 112
    243 247 30 29 27 28 56 190 226 31 228 229 230 231 232 233 244 113 225 224 223 222 221 189
    35 124 46 53 52 65 143 111 117 118 119 120 121 128 245 156 70 63 105 66 107 55 193
    """
)
"""[71] mesh points around the person's right eye; the first 16 are the lids themselves."""

LEFT_EYE = _read_points(
    """
    263 249 390 373 374 380 381 382 362 466 388 387 386 385 384 398 359 255 339 254 253 252
    256 341 463 467 260 259 257 258 286 414 446 261 448 449 450 451 452 453 464 342 445 444
    443 442 441 413 265 353 276 283 282 295 372 340 346 347 348 349 350 357 465 383 300 293
    334 296 336 285 417
    """
)
"""[71] mesh points around the person's left eye, in the same order."""

NUM_LID_POINTS = 16
