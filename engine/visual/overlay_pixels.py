"""The pixels of an overlay: tint, light, eyes, lines and the mixing with the picture, compiled."""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..core.types import BoolArray, FloatArray, IntArray

SEEN = np.array([0.56, 0.78, 1.0])
UNSEEN = np.array([1.0, 0.64, 0.30])
OPACITY = 0.62
STRIPES = 0.24
"""How much the opacity of unseen parts changes from stripe to stripe."""
STRIPE_WIDTH = 8.0  # in widths of a line
IRIS = np.array([0.16, 0.30, 0.46])
PUPIL = np.array([0.04, 0.05, 0.08])
IRIS_OPACITY = 0.85
LINE, LINE_OPACITY = 1.0, 0.85
HALO = np.array([0.05, 0.09, 0.16])
HALO_OPACITY = 0.6
STEP = 0.022
"""Metres of depth between two limbs, the nearer of which gets a line."""

_NOTHING, _BODY, _EDGE, _RIM = range(4)


@kernel()
def _kinds(face, depth, part, mouth, radius):  # type: ignore[no-untyped-def]
    """What each pixel is: nothing, body, body beside a step in depth, or rim around the body.

    The depth of an open mouth does not count: its lips would be covered by their lines.
    """
    height, width = face.shape
    out = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            here = face[y, x] >= 0
            kind = _BODY if here else _NOTHING
            smooth = here and mouth[part[face[y, x]]]
            for v in range(max(0, y - radius), min(height, y + radius + 1)):
                for u in range(max(0, x - radius), min(width, x + radius + 1)):
                    there = face[v, u] >= 0
                    if here and (not there or (depth[v, u] - depth[y, x] > STEP and not smooth)):
                        kind = _EDGE
                    elif not here and there:
                        kind = _RIM
                    else:
                        continue
                    break
                if kind >= _EDGE:
                    break
            out[y, x] = kind
    return out


@kernel()
def _share(kinds, kind, y, x):  # type: ignore[no-untyped-def]
    """How many of the 3 x 3 pixels are of a kind, 0..1; a straight line of two counts whole."""
    count = 0
    for v in range(max(0, y - 1), min(kinds.shape[0], y + 2)):
        for u in range(max(0, x - 1), min(kinds.shape[1], x + 2)):
            count += kinds[v, u] == kind
    return min(count / 6.0, 1.0)


@kernel()
def _compose(  # type: ignore[no-untyped-def]
    out, fine, left, top, face, bary, kinds, f, part, looks, colours, rest, eye_part, eyes, stripe
):
    """Mix the body into ``out`` [h, w, 3]; each of its pixels is ``fine`` x ``fine`` of the others.

    ``looks`` [V, 3]: light, shine, seen. ``colours`` [P, 4]: of a part, and how much it covers.
    ``eyes`` [K, 8]: centre, gaze, cosines of the iris and the pupil.
    """
    colour = np.zeros(3)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            red, green, blue, total = 0.0, 0.0, 0.0, 0.0
            for y in range(row * fine, (row + 1) * fine):
                for x in range(column * fine, (column + 1) * fine):
                    alpha = 0.0
                    colour[:] = 0.0
                    i = face[y, x]
                    if i >= 0:
                        a, b, c = f[i, 0], f[i, 1], f[i, 2]
                        wa, wb, wc = bary[y, x, 0], bary[y, x, 1], bary[y, x, 2]
                        light = wa * looks[a, 0] + wb * looks[b, 0] + wc * looks[c, 0]
                        shine = wa * looks[a, 1] + wb * looks[b, 1] + wc * looks[c, 1]
                        seen = wa * looks[a, 2] + wb * looks[b, 2] + wc * looks[c, 2]
                        odd = int((x + left + y + top) / stripe) % 2
                        alpha = OPACITY + STRIPES * (1.0 - seen) * (odd - 0.5)
                        cover = colours[part[i], 3]
                        for k in range(3):
                            tint = seen * SEEN[k] + (1.0 - seen) * UNSEEN[k]
                            colour[k] = cover * colours[part[i], k] + (1.0 - cover) * tint
                        if part[i] == eye_part:
                            for eye in eyes:
                                along, length2, side = 0.0, 0.0, 0.0
                                for k in range(3):
                                    p = wa * rest[a, k] + wb * rest[b, k] + wc * rest[c, k]
                                    along += (p - eye[k]) * eye[3 + k]
                                    length2 += (p - eye[k]) ** 2
                                    if k == 0:
                                        side = p * eye[0]
                                if side <= 0.0:
                                    continue  # the other eye's
                                towards = along / max(np.sqrt(length2), 1e-9)
                                if towards > eye[6]:
                                    alpha = IRIS_OPACITY
                                    colour[:] = PUPIL if towards > eye[7] else IRIS
                        for k in range(3):
                            colour[k] = min(max(colour[k] * light + shine, 0.0), 1.0)
                    rim = HALO_OPACITY * _share(kinds, _RIM, y, x)
                    line = LINE_OPACITY * _share(kinds, _EDGE, y, x)
                    for k in range(3):
                        premultiplied = rim * HALO[k] + (1.0 - rim) * colour[k] * alpha
                        colour[k] = line * LINE + (1.0 - line) * premultiplied
                    alpha = line + (1.0 - line) * (rim + (1.0 - rim) * alpha)
                    red += colour[0]
                    green += colour[1]
                    blue += colour[2]
                    total += alpha
            if total > 0.0:
                n = fine * fine
                keep = 1.0 - total / n
                out[row, column, 0] = red / n + keep * out[row, column, 0]
                out[row, column, 1] = green / n + keep * out[row, column, 1]
                out[row, column, 2] = blue / n + keep * out[row, column, 2]


def composite_overlay(
    out: FloatArray,
    fine: int,
    corner: tuple[int, int],
    face: IntArray,
    bary: FloatArray,
    depth: FloatArray,
    f: IntArray,
    part: IntArray,
    looks: FloatArray,
    colours: FloatArray,
    rest: FloatArray,
    eyes: tuple[int, FloatArray],
    mouth: BoolArray,
    line: float,
) -> None:
    """Mix the body into a part of the picture, in place.

    Args:
        out: [h, w, 3] float32 0..1, the part of the picture.
        fine: how many pixels of the buffers span one pixel of the picture.
        corner: left and top of the buffers' first pixel in the whole fine picture, so that stripes
            stay where they are from frame to frame.
        face: [h * fine, w * fine] the z-buffer's triangles, -1 for none.
        bary: [h * fine, w * fine, 3] the z-buffer's barycentric coordinates.
        depth: [h * fine, w * fine] the z-buffer's depths, metres.
        f: [F, 3] the triangles.
        part: [F] rows of ``colours``.
        looks: [V, 3] light, shine and how much it was seen.
        colours: [P, 4] red, green, blue, cover.
        rest: [V, 3] metres, the T-pose.
        eyes: the part that eyeballs are, and [K, 8] centre, gaze, cosines of the half angles of
            iris and pupil.
        mouth: [P] the mouth's parts.
        line: width of a line in fine pixels.
    """
    kinds = _kinds(face, depth, part, mouth, max(1, round(line)))
    _compose(
        out,
        fine,
        corner[0],
        corner[1],
        face,
        bary,
        kinds,
        f,
        part,
        looks,
        colours,
        rest,
        eyes[0],
        eyes[1],
        STRIPE_WIDTH * line,
    )
