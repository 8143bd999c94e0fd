"""Measure what a studio does with avatars: speech, performance, light, crowds and retouching.

    python benchmarks/studio.py [--quick] [--only NAME ...] [--people N] [--assets ASSETS]

Each part prints a line and gives one or more figures; the last line of the output is all of them as
JSON. A part that lacks something (espeak-ng, the detectors, bpy) says so, and its figures are null.

    viseme_pct  per cent of the phoneme classes of ten sentences that begin within 60 ms of the
                truth, with the text given; closures_pct: of p, b and m, those with closed lips;
                heard_pct: as viseme_pct, without the text; heard_other_pct: that of ten other
                sentences, on which nothing was tuned; recorded_pct and recorded_heard_pct: as
                viseme_pct and heard_pct with a recorded voice of Flite, where it is installed;
                heard_closures_pct and heard_other_closures_pct: as closures_pct, without the text;
                heard_false_closures: how often the lips close at no p, b or m, in a sentence of the
                ten; all of these not with --quick (benchmarks/figures/speech.py)
    face_fps    pictures a second of the face follower (engine/tracking/live_face.py), of 640 pixels
                with a face, decoding included; nothing else runs beside it. face_update_ms:
                milliseconds in which an avatar of 250,000 splats shows the next face in Blender,
                by its nodes; face_fast_ms: with Fast Splats, before the GPU draws;
                face_update_cpu_ms and face_fast_cpu_ms: these in CPU time of all cores
                (benchmarks/figures/live_update.py)
    albedo_de   median distance in CIE Lab (1976) of avatars' albedo to the truth, over the body in
                the photo's frame and over people of the split ``test``, dressed from ``--assets``
                and drawn by our own rasteriser at 384 pixels; their photos are lifted with the true
                body, camera and matte (benchmarks/figures/albedo.py has the other figures)
    relit_strength, relit_eevee, relit_degrees, relit_noise
                the first of these people, relit in Cycles at 8 samples, beside the lit mesh of
                ``export --albedo``: its light over the mesh's, in EEVEE as well, the angle between
                the directions from which it comes, and its noise over the mesh's; the worst of a
                lamp and three of Blender's worlds, quick of the lamp
                (benchmarks/figures/relit_mesh.py)
    crowd_mb    MB of memory that a hundred people at 10,000 splats take at most, rendered in Cycles
                and EEVEE (benchmarks/figures/crowd_memory.py); quick: in a small picture of EEVEE,
                which takes more
    brush_ms    milliseconds until a stroke of the retouch brush has touched an avatar of 250,000
                splats for the first time (benchmarks/figures/brush_start.py); brush_first_ms: in
                the first stroke on that avatar

``--quick`` takes small pictures and one person, a crowd in EEVEE alone beside the other parts, and
leaves out the relit person and the milliseconds of faces, for less than 50 seconds in all. With
``--only`` these run, too; every part takes less than 50 seconds then.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.benchmarks.figures.albedo import AlbedoScore, score_albedo, summarize_albedo
from likeness.benchmarks.figures.brush_start import measure_stroke_start
from likeness.benchmarks.figures.crowd_memory import ENGINES, measure_crowd
from likeness.benchmarks.figures.hidden_labels import LiftNetworks, lift_shot
from likeness.benchmarks.figures.live_update import measure_live_faces
from likeness.benchmarks.figures.relit_mesh import LIGHTS, LightScore, compare_lights
from likeness.benchmarks.figures.speech import (
    OTHER_SENTENCES,
    find_flite,
    measure_speech,
    open_espeak,
    say_with_flite,
)
from likeness.engine.body import Body, load_body
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.dataset.atlas_people import AtlasPerson
from likeness.engine.evaluation.protocols.observed_photos import observe_truth
from likeness.engine.files.weights import asset_path, cache_assets_dir
from likeness.engine.imaging.video import VideoReader
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.motion.speech.sphinx import find_recognizer
from likeness.engine.synth.atlas_truth import AtlasTruthMaker
from likeness.engine.synth.figure import make_subject, open_context
from likeness.engine.synth.subject import RasterStudio, StageClock, draw_subject
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.live_face import FaceFollower
from likeness.engine.tracking.live_source import LIVE_SIDE
from PIL import Image

Figures = dict[str, Any]

QUICK_PEOPLE, PEOPLE, SEED = 1, 24, 8


def measure_visemes(options: argparse.Namespace) -> Figures:
    """Speech; not quick, also without the text."""
    problem = find_recognizer() or (None if open_espeak() else "espeak-ng is not installed.")
    if problem:
        print(f"speech: {problem}")
        return {"viseme_pct": None, "closures_pct": None}
    with_text = measure_speech()
    print(
        f"speech: {with_text['classes']:.1f} % of the phoneme classes within 60 ms, lips closed on "
        f"{with_text['closures']:.1f} % of p, b, m"
    )
    figures: Figures = {"viseme_pct": with_text["classes"], "closures_pct": with_text["closures"]}
    if not options.quick:
        heard = measure_speech(with_text=False)
        figures |= {"heard_pct": heard["classes"], "heard_closures_pct": heard["closures"]}
        figures["heard_false_closures"] = heard["false_closures"]
        other = measure_speech(with_text=False, sentences=OTHER_SENTENCES)
        figures["heard_other_pct"] = other["classes"]
        figures["heard_other_closures_pct"] = other["closures"]
    if not options.quick and find_flite() is not None:
        for name, given in (("recorded_pct", True), ("recorded_heard_pct", False)):
            figures[name] = measure_speech(given, "slt", say_with_flite)["classes"]
    return figures


def measure_face_rate(options: argparse.Namespace) -> Figures:
    """A video of the sample portrait, which sways."""
    portrait = cache_assets_dir().parent / "downloads" / "astronaut.png"
    try:
        folder, body = asset_path("pose_landmark").parent, load_body(asset_path("body"))
    except LikenessError as error:
        print(f"face: {error}")
        return {"face_fps": None}
    if not portrait.is_file():
        print("face: the sample portrait is missing; 'python build.py test' fetches it.")
        return {"face_fps": None}
    rgb = np.asarray(Image.open(portrait).convert("RGB").resize((640, 640)), np.float32) / 255
    count = 60 if options.quick else 300
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "sway.mp4"
        with VideoWriter(path, 640, 640, 30.0) as writer:
            for k in range(count):
                writer.write(np.roll(rgb, round(8 * np.sin(k / 5)), axis=1))
        follower = FaceFollower(body, Detectors(folder))
        frames = iter(VideoReader(path, LIVE_SIDE))
        follower.follow(next(frames).rgb)  # finds the face, which happens once
        start, found = time.perf_counter(), 0
        for frame in frames:
            found += follower.follow(frame.rgb) is not None
        rate = (count - 1) / (time.perf_counter() - start)
    print(f"face: {rate:.1f} pictures a second, a face in {found} of {count - 1}")
    return {"face_fps": rate}


def lift_people(
    options: argparse.Namespace, count: int, failed: list[str]
) -> Iterator[tuple[int, AtlasPerson, Body, Avatar]]:
    """Make people and their photos, and lift them.

    Args:
        options: of the command line.
        count: of people.
        failed: gets what went wrong, one line a person.

    Yields:
        number, truth, default body, avatar.
    """
    asked = SynthOptions(
        seed=SEED,
        split="test",
        engine="raster",
        views=1,
        size=384,
        texture_size=512,
        assets=str(options.assets) if options.assets else None,
    )
    context = open_context(asked, lambda asset, why: None)
    maker = AtlasTruthMaker.open(asked, context)
    detectors = Detectors(asset_path("face_landmark").parent)
    networks, body = LiftNetworks.load(), context.dress.body
    for number in range(count):
        try:
            made = make_subject(number, asked, context)
            studio = RasterStudio(context.surroundings.read)
            subject = draw_subject(made, asked, studio, StageClock())
            shot = observe_truth(subject, 0, body, detectors)
            lifted = lift_shot(shot, networks)
        except LikenessError as error:
            failed.append(f"person {number} FAILED: {error}")
            print(failed[-1], flush=True)
            continue
        pose = lifted.pose or shot.track.pose
        framing = subject.framing
        avatar = Avatar(lifted.body, lifted.gaussians, pose, shot.track.camera, framing)
        yield number, maker.make(number), body, avatar


def measure_albedo(options: argparse.Namespace) -> Figures:
    """People's albedo against the truth."""
    scores: list[AlbedoScore] = []
    failed: list[str] = []
    count = options.people or (QUICK_PEOPLE if options.quick else PEOPLE)
    for number, truth, body, avatar in lift_people(options, count, failed):
        scores.append(score_albedo(truth, avatar, body, avatar.framing))
        named = zip(AlbedoScore._fields, scores[-1], strict=True)
        said = ", ".join(f"{name} {value:.1f}" for name, value in named)
        print(f"albedo: person {number}: {said}", flush=True)
    return {**summarize_albedo(scores), "people": len(scores), "people_failed": len(failed)}


def measure_relight(options: argparse.Namespace) -> Figures:
    """The first of these people beside the mesh; quick in the lamp's light alone."""
    names = ("relit_strength", "relit_eevee", "relit_degrees", "relit_noise")
    if importlib.util.find_spec("bpy") is None:
        print("relight: Blender's Python module bpy is not installed.")
        return dict.fromkeys(names)
    found: dict[str, LightScore] = {}
    for _, _, _, avatar in lift_people(options, 1, []):
        found = (
            compare_lights(avatar, LIGHTS[:1], 80, 3) if options.quick else compare_lights(avatar)
        )
    for light, score in found.items():
        print(f"relight: {light}: {' '.join(f'{k} {v:.2f}' for k, v in score._asdict().items())}")
    if not found:
        return dict.fromkeys(names)
    scores = found.values()
    strength = max((score.strength for score in scores), key=lambda s: abs(np.log(s)))
    eevee = max((score.eevee for score in scores), key=lambda s: abs(np.log(s)))
    degrees, noise = max(score.degrees for score in scores), max(score.noise for score in scores)
    return dict(zip(names, (strength, eevee, degrees, noise), strict=True))


def measure_crowd_memory(options: argparse.Namespace) -> Figures:
    """Crowds; quick in a small picture of EEVEE, where the splats take as much memory."""
    if importlib.util.find_spec("bpy") is None:
        print("crowd: Blender's Python module bpy is not installed.")
        return {"crowd_mb": None}
    quick: bool = options.quick
    engines = ("EEVEE",) if quick else ENGINES
    peaks = measure_crowd(100, 10_000, 240 if quick else 960, engines=engines)
    said = ", ".join(f"{peak:.0f} MB in {engine}" for engine, peak in peaks.items())
    print(f"crowd: 100 people at 10,000 splats take {said}")
    return {"crowd_mb": max(peaks.values())}


def measure_brush(options: argparse.Namespace) -> Figures:
    """The retouch brush; quick and not, on the same avatar."""
    if importlib.util.find_spec("bpy") is None:
        print("brush: Blender's Python module bpy is not installed.")
        return {"brush_ms": None, "brush_first_ms": None}
    start = measure_stroke_start(250_000)
    print(f"brush: a stroke begins in {start.next:.0f} ms, the first one in {start.first:.0f} ms")
    return {"brush_ms": start.next, "brush_first_ms": start.first}


def measure_faces(options: argparse.Namespace) -> Figures:
    """The follower, and Blender; quick the follower alone, unless this part was asked for."""
    followed = measure_face_rate(options)
    if options.quick and options.only is None:
        return followed
    return followed | measure_live_faces(250_000)


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "face": measure_faces,
    "speech": measure_visemes,
    "albedo": measure_albedo,
    "relight": measure_relight,
    "crowd": measure_crowd_memory,
    "brush": measure_brush,
}
"""Name -> what measures it, given the command line."""

_NOT_QUICK = ("relight",)
"""Parts that ``--quick`` leaves out unless they are named."""

_BESIDE = ("crowd",)
"""Parts that run beside those after the face with ``--quick``: memory does not depend on that."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small pictures, one person")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), help="these parts alone")
    parser.add_argument("--people", type=int, metavar="N", help="synthetic people of albedo_de")
    parser.add_argument("--assets", type=Path, help="library of their clothes and hair")
    options = parser.parse_args()
    figures: Figures = {"benchmark": "studio"}
    chosen = options.only or [k for k in PARTS if not (options.quick and k in _NOT_QUICK)]
    beside = [k for k in _BESIDE if options.quick and k in chosen]

    def run(name: str) -> Figures:
        start = time.perf_counter()
        found = PARTS[name](options)
        return found | {f"{name}_seconds": time.perf_counter() - start}

    with ThreadPoolExecutor(1) as pool:
        for name in PARTS:
            if name in chosen and name not in beside:
                figures |= run(name)
            if name == "face":
                running = [pool.submit(run, other) for other in beside]
        for one in running:
            figures |= one.result()
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps(rounded))


if __name__ == "__main__":
    main()
