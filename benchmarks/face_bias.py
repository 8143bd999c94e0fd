"""Measure where the face network places its landmarks on photos, relative to the baked head.

    python benchmarks/face_bias.py DIR [--rounds 3] [--hold-out] [--write] [--quick]

Every portrait of the folder that shows its face from the front is fitted; the common offset of the
landmarks on all of them (the median, made symmetric) is added to the correction of
``engine/tracking/face_bias.csv``, and the portraits are fitted again. ``--write`` replaces the
table. ``--hold-out`` measures on every other portrait and reports the rest. The last line is JSON
with the median face error in per cent of the inter-ocular distance before and after.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.engine.body import Body, load_body
from likeness.engine.body.atlas import surface_points
from likeness.engine.core.cameras import project
from likeness.engine.core.types import FloatArray, IntArray, Observation, Portrait
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.load import load_portrait
from likeness.engine.tracking import evidence, face_bias
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.fit import fit_body, gather_evidence
from likeness.engine.tracking.fit_state import FitState, PosedJoints
from likeness.engine.tracking.observation import observe
from scipy.optimize import linear_sum_assignment

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
FRONTAL = 15.0  # degrees of the head's yaw
LEAST, QUICK_SECONDS = 0.05, 45.0  # millimetres worth a row of the table

Seen = tuple[Portrait, Observation]


def measure_residual(seen: Seen, body: Body) -> tuple[FloatArray, float] | None:
    """Offsets of the landmarks from a fitted face, and the face error; None for turned heads.

    Returns:
        [478, 2] millimetres (to the head's left, up), NaN where unused, and the error.
    """
    portrait, observation = seen
    track = fit_body(observation, portrait, body)
    found, head = gather_evidence(observation, portrait.rgb, track.camera, body)
    if head is None or found.face is None or observation.face is None or not track.face_error:
        return None
    if abs(np.degrees(np.arctan2(head.R[0, 2], head.R[2, 2]))) > FRONTAL:
        return None
    pose = track.pose
    posed = PosedJoints(body, FitState(pose.transl, pose.full_pose, track.betas, pose.expression))
    pixels, depth = project(found.face.positions(posed), track.camera)
    off = (observation.face[found.face_index] - pixels) * (depth / track.camera.K[0, 0])[:, None]
    out = np.full((478, 2), np.nan)
    out[found.face_index] = (np.column_stack([off[:, 0], -off[:, 1], 0 * depth]) @ head.R)[:, :2]
    return out * 1e3, track.face_error


def pair_landmarks(body: Body) -> tuple[IntArray, FloatArray]:
    """The mirrored landmark of each [478], and the rest positions [478, 3] in metres."""
    marks = body.landmarks
    assert marks is not None
    corners = np.asarray(body.v_template, np.float64)
    rest = surface_points(corners, body.f, marks.face_triangle, marks.face_bary)
    distance = np.linalg.norm(rest[:, None] * [-1.0, 1.0, 1.0] - rest[None], axis=2)
    return linear_sum_assignment(distance + distance.T)[1], rest


def use_shift(shift: FloatArray) -> None:
    """Make the fit correct by a shift in this process.

    Args:
        shift: [478, 3] metres.
    """
    evidence.face_shift = lambda _: shift  # type: ignore[assignment]


def measure_shift(people: list[Seen], body: Body, rounds: int) -> FloatArray:
    """The correction [478, 3] in metres after some rounds, which the fit then uses."""
    mirror, rest = pair_landmarks(body)
    shift = face_bias.face_shift(rest)
    for number in range(rounds):
        use_shift(shift)
        found = [r for r in (measure_residual(person, body) for person in people) if r is not None]
        median = np.nan_to_num(np.nanmedian([off for off, _ in found], axis=0))
        median[468:] = 0.0  # irises are the eyes' own
        median[shift[:, 2] != 0] = 0.0  # the jaw's outline slides in depth: set by hand
        both = 0.5 * (median + median[mirror] * [-1.0, 1.0])
        shift = shift + 1e-3 * np.column_stack([both, np.zeros(478)])
        print(
            f"round {number + 1}: {len(found)} faces, error "
            f"{np.median([e for _, e in found]):.2f} %, median shift "
            f"{np.linalg.norm(both[:468], axis=1).mean():.2f} mm"
        )
    use_shift(shift)
    return shift


def write_table(shift: FloatArray, body: Body) -> None:
    """Replace the table.

    Args:
        shift: [478, 3] metres.
        body: the default one.
    """
    mirror, rest = pair_landmarks(body)
    with face_bias.TABLE.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["right", "left", "inwards", "upwards", "forwards"])
        for row in range(468):
            if rest[row, 0] > rest[mirror[row], 0] or mirror[mirror[row]] != row:
                continue  # covered by its partner's row
            inwards = -np.sign(rest[row, 0]) * shift[row, 0] * (mirror[row] != row)
            values = 1e3 * np.array([inwards, *shift[row, 1:]])
            if np.abs(values).max() >= LEAST:
                table.writerow([row, mirror[row], *(f"{v:.1f}" for v in values + 0.0)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hold-out", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    options = parser.parse_args()
    begin = time.perf_counter()
    body = load_body(asset_path("body"))
    detectors = Detectors(asset_path("face_landmark").parent)
    people: list[Seen] = []
    for path in sorted(p for p in options.folder.iterdir() if p.suffix.lower() in PICTURES):
        if options.quick and time.perf_counter() - begin > QUICK_SECONDS / 3:
            break
        portrait = load_portrait(path)
        seen = observe(portrait, detectors)
        if seen.face is not None:
            people.append((portrait, seen))
    learned = people[::2] if options.hold_out else people
    judged = people[1::2] if options.hold_out else people
    before = [r[1] for r in (measure_residual(person, body) for person in judged) if r is not None]
    shift = measure_shift(learned, body, 1 if options.quick else options.rounds)
    after = [r[1] for r in (measure_residual(person, body) for person in judged) if r is not None]
    if options.write:
        write_table(shift, body)
    print(
        json.dumps(
            {
                "benchmark": "face_bias",
                "faces": len(after),
                "held_out": options.hold_out,
                "face_error_before": round(float(np.median(before)), 3),
                "face_error_after": round(float(np.median(after)), 3),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
