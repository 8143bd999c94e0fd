"""The tracker against rendered people with known ground truth.

    python benchmarks/tracking.py [--people 60] [--quick] [--assets DIR] [--seed 0]
                                  [--pitched] [--out DIR]

Synthetic people (``engine/synth``) are rendered in front of known cameras
(``engine/evaluation/people``), with hair and clothes from an asset library in MakeHuman's layout
(``--assets``), procedural without one. The tracker gets the picture and the true field of view.
``--quick`` stops after 45 seconds; framings and yaws rotate, so that each gets its share.
``--out`` writes a sheet per person: photo, fitted mesh over it, true mesh over it.

The yaw is the head's from the camera. Figures (floors in brackets):

face_mm (4)       mean distance of the visible face vertices (in the z-buffer, hair and clothes
                  included; parts face, lips, eyelid) after rigid alignment, rotation and
                  translation without scale; mean over people with |yaw| <= 30.
face60_mm (6)     the same for 45 <= |yaw| <= 75.
joints_mm (60)    mean distance of the visible ones of the 22 body joints, pelvis on pelvis (neck
                  on neck where the pelvis is not visible); mean over people. Visible: in the
                  frame, and the body's first surface at that pixel is not more than 8 cm in
                  front of the joint beyond the flesh around it.
hands_px (4)      distance of the visible fingertips in the picture at 512 pixels, over hands with
                  at least 3 visible tips that the detector found; mean over hands' owners.
outside_pct (3)   fitted body in the frame outside the true matte, per cent of its area; mean.
head_deg (5)      angle between true and fitted head, |yaw| <= 30; mean.
head60_deg (8)    the same for 45 <= |yaw| <= 75.
pitch_deg (3)     error of the camera's pitch; median. With --pitched the cameras look from 25
                  degrees up to 25 degrees down, else nearly level.
lean_deg (2)      people who stand on both feet: error of their lean to the front or back, from
                  ankles to neck in the fitted world; median.
unseen_limit_violations (0)  unseen joints (confidence 0) beyond their anatomical limits by more
                  than half a degree; ``limit_violations`` counts the seen ones, too.

The last line is JSON. Medians by framing, and how many faces, hands and people were found, go
with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import camera_tilt, tilt_angles
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import (
    JOINT_INDEX,
    Camera,
    FloatArray,
    LikenessError,
    Portrait,
    Track,
)
from likeness.engine.core.upright import pose_to_world
from likeness.engine.evaluation.people.figures import PersonMetrics, measure_person
from likeness.engine.evaluation.people.person import (
    FRAMINGS,
    YAW_BANDS,
    RandomPerson,
    random_person,
)
from likeness.engine.evaluation.people.person_render import Truth, render_person
from likeness.engine.files.weights import asset_path
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.synth.figure import SynthContext, SynthOptions, open_context
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.fit import fit_body
from likeness.engine.tracking.joint_limits import limit_violations
from likeness.engine.tracking.observation import observe
from PIL import Image

QUICK_SECONDS = 42.0
STANDING = ("standing", "wide", "contrapposto", "arms crossed", "hands ")
FRONT, TURNED = (0.0, 30.0), (45.0, 75.0)
GROUPS = {
    "front": FRONT,
    "30-45": (30.0, 45.0),
    "60": TURNED,
    "75-110": (75.0, 110.0),
    "back": (110.0, 180.0),
}
OVER_LIMIT = np.radians(0.5)
FLOORS = {
    "face_mm": 4.0,
    "face60_mm": 6.0,
    "joints_mm": 60.0,
    "hands_px": 4.0,
    "outside_pct": 3.0,
    "head_deg": 5.0,
    "head60_deg": 8.0,
    "pitch_deg": 3.0,
    "lean_deg": 2.0,
}
COLUMNS = (
    "face_mm",
    "face_px",
    "joints_mm",
    "joints_px",
    "hands_px",
    "outside_pct",
    "uncovered_pct",
    "head_deg",
    "trunk_deg",
    "depth_pct",
)


@dataclass(frozen=True)
class TrackingResult:
    """One person's figures; ``figures`` None when the tracker found nobody."""

    number: int
    person: RandomPerson
    figures: PersonMetrics | None = None
    track: Track | None = None
    pitch_deg: float | None = None
    lean_deg: float | None = None
    face_found: bool = False
    over_limits: int = 0
    unseen_over_limits: int = 0
    seconds: float = 0.0
    error: str = ""


def create_person(
    number: int, seed: int, world: SynthContext, pitched: bool = False
) -> RandomPerson:
    """Create person ``number``: framings rotate, then yaws."""
    rng = np.random.default_rng([seed, number])
    low, high = YAW_BANDS[(number // len(FRAMINGS)) % len(YAW_BANDS)]
    yaw = float(rng.choice([-1, 1]) * rng.uniform(low, high))
    framing = FRAMINGS[number % len(FRAMINGS)]
    pitch = float(rng.uniform(-25.0, 25.0)) if pitched else None
    return random_person(world, rng, framing=framing, yaw=yaw, pitch=pitch)


def measure_tracking(
    number: int,
    person: RandomPerson,
    portrait: Portrait,
    truth: Truth,
    body: Body,
    detectors: Detectors,
) -> TrackingResult:
    """Track one person and compare."""
    start = time.perf_counter()
    try:
        observation = observe(portrait, detectors)
        track = fit_body(observation, portrait, body, fov=person.fov)
    except LikenessError as error:
        return TrackingResult(number, person, error=str(error), seconds=time.perf_counter() - start)
    seconds = time.perf_counter() - start
    beyond = limit_violations(track.pose.full_pose) > OVER_LIMIT
    return TrackingResult(
        number,
        person,
        figures=measure_person(body, person.camera, truth, observation, track),
        track=track,
        pitch_deg=abs(track.gravity.pitch - tilt_angles(person.up)[0]),
        lean_deg=standing_lean(person, track, body),
        face_found=observation.face is not None,
        over_limits=int(beyond.sum()),
        unseen_over_limits=int((beyond & (track.joint_confidence == 0)).sum()),
        seconds=seconds,
    )


def standing_lean(person: RandomPerson, track: Track, body: Body) -> float | None:
    """Error in degrees of a standing person's lean to the front or the back, in the fitted world.

    None for a person who does not stand on both feet.
    """
    if person.framing != "full" or not person.anchor.startswith(STANDING):
        return None
    posed = pose_to_world(track.pose, body.shaped(track.betas)[1][0], track.gravity)
    fitted = body.vertices(posed, track.betas)[1]
    true = body.vertices(person.pose, person.betas)[1] @ camera_tilt(*tilt_angles(person.up))
    leans = []
    for joints in (fitted, true):
        neck, *ankles = (joints[JOINT_INDEX[n]] for n in ("neck", "left_ankle", "right_ankle"))
        _, y, z = neck - np.mean(ankles, axis=0)
        leans.append(np.degrees(np.arctan2(z, y)))
    return float(abs(leans[0] - leans[1]))


def cell(value: float | None, width: int = 7) -> str:
    return f"{value:{width}.1f}" if value is not None else " " * (width - 1) + "-"


def heading_line() -> str:
    names = [name.replace("uncovered", "uncov").replace("outside", "out") for name in COLUMNS]
    return (
        f"{'no':>3} {'framing':>9} {'as':>5} {'view':>5} {'yaw':>5} {'fov':>4} "
        + " ".join(f"{name[:9]:>7}" for name in names)
        + "  hands face lim    s  pose"
    )


def format_result(result: TrackingResult) -> str:
    person = result.person
    head = f"{result.number:3d} {person.framing:>9} "
    if result.figures is None or result.track is None:
        return f"{head}{'':>11} {person.yaw:5.0f} {person.fov:4.0f} not found: {result.error}"
    figures = result.figures
    cells = " ".join(cell(getattr(figures, name)) for name in COLUMNS)
    hands = f"{figures.hands_found}/{figures.hands_seen}"
    return (
        f"{head}{result.track.framing:>5} {result.track.view:>5} {person.yaw:5.0f} "
        f"{person.fov:4.0f} {cells}  {hands:>5} {'yes' if result.face_found else 'no':>4} "
        f"{result.over_limits:3d} {result.seconds:4.1f}  {person.anchor}"
    )


def select_results(
    results: list[TrackingResult], band: tuple[float, float], framing: str = ""
) -> list[TrackingResult]:
    low, high = band
    return [
        r for r in results if low <= abs(r.person.yaw) <= high and framing in ("", r.person.framing)
    ]


def collect_values(results: list[TrackingResult], name: str) -> list[float]:
    found = [getattr(r.figures, name) for r in results if r.figures is not None]
    return [v for v in found if v is not None]


def mean(numbers: list[float]) -> float | None:
    return float(np.mean(numbers)) if numbers else None


def median(numbers: list[float]) -> float | None:
    return float(np.median(numbers)) if numbers else None


def table(results: list[TrackingResult]) -> str:
    """Means and medians by framing and yaw band."""
    lines = [
        f"{'framing':>9} {'yaw':>7} {'n':>3} "
        + " ".join(f"{c[:9]:>13}" for c in COLUMNS)
        + "  (mean / median)"
    ]
    for framing in (*FRAMINGS, ""):
        for name, band in {**GROUPS, "all": (0.0, 180.0)}.items():
            group = select_results(results, band, framing)
            if not group:
                continue
            columns = [collect_values(group, c) for c in COLUMNS]
            cells = " ".join(f"{cell(mean(x), 6)}/{cell(median(x), 6)}" for x in columns)
            lines.append(f"{framing or 'all':>9} {name:>7} {len(group):3d} {cells}")
    return "\n".join(lines)


def format_joint_errors(results: list[TrackingResult]) -> str:
    """Mean error of each joint in mm, by framing, and how often it was visible; worst first."""
    lines = []
    for framing in FRAMINGS:
        errors: dict[str, list[float]] = {}
        for r in results:
            if r.person.framing == framing and r.figures is not None:
                for joint, mm in r.figures.joint_mm.items():
                    errors.setdefault(joint, []).append(mm)
        by_size = sorted(errors.items(), key=lambda item: -float(np.mean(item[1])))
        cells = [f"{joint} {np.mean(mm):.0f} ({len(mm)})" for joint, mm in by_size]
        lines.append(f"{framing:>9} {', '.join(cells)}")
    return "\n".join(lines)


def format_worst(results: list[TrackingResult], count: int = 10) -> str:
    """The people farthest beyond the floors, and by which figures."""
    found = []
    for r in results:
        if r.figures is None:
            found.append((np.inf, r, "not found"))
            continue
        front, turned = r in select_results([r], FRONT), r in select_results([r], TURNED)
        shares = {
            "face_mm": (r.figures.face_mm, 4.0 if front else 6.0 if turned else None),
            "joints_mm": (r.figures.joints_mm, 60.0),
            "hands_px": (r.figures.hands_px, 4.0),
            "outside_pct": (r.figures.outside_pct, 3.0),
            "head_deg": (r.figures.head_deg, 5.0 if front else 8.0 if turned else 25.0),
        }
        over = {name: v / floor for name, (v, floor) in shares.items() if v and floor}
        if not over:
            continue
        name = max(over, key=lambda key: over[key])
        far = sorted(r.figures.joint_mm.items(), key=lambda i: -i[1])[:4]
        words = ", ".join(
            f"{k} x{v:.1f}" for k, v in sorted(over.items(), key=lambda i: -i[1]) if v > 1
        )
        if over.get("joints_mm", 0.0) > 1:
            words += f" ({', '.join(f'{joint} {mm:.0f}' for joint, mm in far)})"
        found.append((over[name], r, words))
    found.sort(key=lambda entry: -entry[0])
    return "\n".join(
        f"{r.number:3d} {r.person.framing:>5} yaw {r.person.yaw:5.0f} fov {r.person.fov:3.0f} "
        f"{r.person.anchor:<22} {words}"
        for _, r, words in found[:count]
    )


def summary(results: list[TrackingResult]) -> dict[str, object]:
    """The JSON line's figures."""
    front, turned = select_results(results, FRONT), select_results(results, TURNED)
    tracked = [r for r in results if r.figures is not None]
    seen = sum(r.figures.hands_seen for r in tracked if r.figures)
    faces = [r for r in results if abs(r.person.yaw) <= 30.0]
    out: dict[str, object] = {
        "face_mm": mean(collect_values(front, "face_mm")),
        "face60_mm": mean(collect_values(turned, "face_mm")),
        "joints_mm": mean(collect_values(results, "joints_mm")),
        "hands_px": mean(collect_values(results, "hands_px")),
        "outside_pct": mean(collect_values(results, "outside_pct")),
        "head_deg": mean(collect_values(front, "head_deg")),
        "head60_deg": mean(collect_values(turned, "head_deg")),
        "pitch_deg": median([r.pitch_deg for r in tracked if r.pitch_deg is not None]),
        "lean_deg": median([r.lean_deg for r in tracked if r.lean_deg is not None]),
        "unseen_limit_violations": sum(r.unseen_over_limits for r in tracked),
        "limit_violations": sum(r.over_limits for r in tracked),
        "people": len(results),
        "found": len(tracked),
        "faces_found_front": sum(r.face_found for r in faces) / max(len(faces), 1),
        "hands_found": sum(r.figures.hands_found for r in tracked if r.figures) / max(seen, 1),
        "framing_right": sum(
            r.track is not None and r.track.framing == r.person.framing for r in results
        )
        / max(len(results), 1),
        "seconds_per_photo": median([r.seconds for r in results]),
    }
    for framing in FRAMINGS:
        group = [r for r in results if r.person.framing == framing]
        out[framing] = {c: median(collect_values(group, c)) for c in COLUMNS}
        out[framing]["pitch_deg"] = median([r.pitch_deg for r in group if r.pitch_deg is not None])
    out["median"] = {c: median(collect_values(results, c)) for c in COLUMNS}
    return out


def overlay(rgb: FloatArray, vertices: FloatArray, f: FloatArray, camera: Camera) -> FloatArray:
    """A shaded grey mesh laid over the photo, half transparent.

    Args:
        rgb: [H, W, 3] the photo, sRGB 0..1.
        vertices: [V, 3] metres, world space.
        f: [F, 3] triangles.
        camera: the photo's.
    """
    buffer = rasterize_mesh(vertices, f, camera)
    covered = buffer.face >= 0
    normals = vertex_normals(vertices, f)[f[buffer.face[covered]]]
    facing = np.einsum("pk,pkc->pc", buffer.bary[covered], normals)
    shade = 0.35 + 0.6 * np.clip(facing @ np.array([0.3, 0.4, 0.87]), 0, 1)
    out = np.array(rgb)
    out[covered] = 0.25 * out[covered] + 0.75 * shade[:, None] * np.array([0.75, 0.85, 1.0])
    return out


def save_sheet(
    folder: Path, result: TrackingResult, portrait: Portrait, truth: Truth, body: Body
) -> None:
    """Photo, fitted mesh and true mesh side by side."""
    f = body.f
    tiles = [portrait.rgb]
    if result.track is not None:
        fitted, _ = body.vertices(result.track.pose, result.track.betas)
        tiles.append(overlay(portrait.rgb, fitted, f, result.track.camera))
    tiles.append(overlay(portrait.rgb, truth.vertices, f, result.person.camera))
    sheet = (np.clip(np.concatenate(tiles, 1), 0, 1) * 255).astype(np.uint8)
    name = f"{result.number:03d}-{result.person.framing}-{result.person.yaw:.0f}.png"
    Image.fromarray(sheet).save(folder / name)


def round_figure(value: object) -> object:
    if isinstance(value, dict):
        return {key: round_figure(v) for key, v in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="at most 50 seconds")
    parser.add_argument("--assets", type=Path, help="asset library in MakeHuman's layout")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pitched", action="store_true", help="cameras look up and down")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of people to take")
    parser.add_argument("--out", type=Path, help="folder for sheets")
    options = parser.parse_args()
    begin = time.perf_counter()
    assets = str(options.assets) if options.assets is not None else None
    world = open_context(SynthOptions(assets=assets), print)
    body = world.dress.body
    detectors = Detectors(asset_path("face_landmark").parent)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    print(heading_line())
    results: list[TrackingResult] = []
    longest = 0.0
    for number in options.only or range(options.people):
        start = time.perf_counter()
        if options.quick and start - begin + longest > QUICK_SECONDS:
            break
        person = create_person(number, options.seed, world, options.pitched)
        portrait, truth = render_person(world, person)
        result = measure_tracking(number, person, portrait, truth, body, detectors)
        results.append(result)
        print(format_result(result), flush=True)
        if options.out is not None:
            save_sheet(options.out, result, portrait, truth, body)
        if number > 0:  # the first compiles
            longest = max(longest, time.perf_counter() - start)
    print(table(results))
    print(f"joints, mm:\n{format_joint_errors(results)}")
    print(f"worst:\n{format_worst(results)}")
    figures = summary(results)
    for name, floor in FLOORS.items():
        value = figures[name]
        said = "-" if value is None else f"{value:.2f}"
        print(f"{name:>12} {said:>8}  floor {floor:g}")
    print(
        json.dumps(
            {
                "benchmark": "tracking",
                "textured": assets is not None,
                **{key: round_figure(v) for key, v in figures.items()},
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
