"""Measure attributes: what an edit changes elsewhere, and what its slider costs in Blender.

    python benchmarks/attributes.py AVATAR [AVATAR ...] [--quick] [--face-model FILE]
    python benchmarks/attributes.py --family SHARDS --networks WITH WITHOUT [AVATAR ...]

For each avatar and each thing of the wardrobe: seconds to put it on, splats that it adds, and the
largest change of any number of a splat that neither gives way nor belongs to it (outside_change),
and how far it moves the face away for a face-recognition network (id_change, 1 - cosine between the
faces without and with it; docs/evaluation.md says which network). id_change of the whole is the
largest of hats, glasses with clear lenses and earrings; null without a network or a face.
pose_ms_ratio is the time of a new pose in Blender with a hat over that of as many splats without
its slider.

With --family, a set of 'likeness synth --attributes --between --hold-out', and two networks of
'train --config perse-tiny' on it, one of which never learned from what lies between two looks
(interpolate_from of all steps): PSNR and SSIM of both in the views that were held out, of the looks
themselves and of what lies between them, and by how many decibels the first draws the latter
better (interp_gain_db).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from likeness.benchmarks.figures.learned_looks import (
    interpolation_gain,
    mean_figures,
    measure_looks,
)
from likeness.benchmarks.pose_update import pose_times, time_import_slices
from likeness.engine.core.attributes import NothingToEditError, apply_attributes
from likeness.engine.core.types import Avatar, BoundGaussians, FloatArray
from likeness.engine.evaluation.protocols.compare import load_face_model
from likeness.engine.evaluation.protocols.face_identity import FaceModel
from likeness.engine.formats.avatar import load_editable_avatar
from likeness.engine.gaussians import pose_avatar
from likeness.engine.imaging.resize import fit_size
from likeness.engine.pipeline.track import open_detectors
from likeness.engine.render import render_camera
from likeness.engine.wardrobe.edit import add_item, set_attribute
from likeness.engine.wardrobe.items import ITEMS, ItemRequest

QUICK = {
    "hair": ("trimmed", "bob"),
    "hat": ("fedora", "beanie", "hairband"),
    "glasses": ("round",),
    "headphones": ("over-ear",),
    "earrings": ("hoop",),
    "necklace": ("pearls",),
    "scarf": ("plain",),
    "beard": ("full",),
    "brows": ("angled",),
    "nose": ("large",),
    "mouth": ("full",),
    "wrinkles": ("deep",),
}
"""What ``--quick`` puts on."""

KEEPS_FACE = ("hat", "glasses", "earrings")
"""Categories in which a person stays the same."""
FACE_SIDE = 768


def largest_change(before: BoundGaussians, after: BoundGaussians) -> float:
    """Largest difference of any number of the same splats in the same order."""
    if len(before) != len(after):
        return float("inf")
    pairs = [(getattr(before, f.name), getattr(after, f.name)) for f in fields(before)]
    return max(
        float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0))
        for a, b in pairs
    )


def measure_edit(
    avatar: Avatar, request: ItemRequest, faces: FaceComparer | None
) -> dict[str, Any]:
    """Figures of one edit."""
    start = time.perf_counter()
    worn = add_item(avatar, request)
    seconds = time.perf_counter() - start
    own = worn.attributes[-1]
    base = own.factors(0.0) > 0.0
    kept = own.factors(1.0)[base] > 0.0
    stays = worn.gaussians.take(base & (own.factors(1.0) > 0.0))
    changes = [
        largest_change(avatar.gaussians.take(kept), stays),
        largest_change(
            apply_attributes(avatar).gaussians,
            apply_attributes(set_attribute(worn, request.category, 0.0)).gaussians,
        ),
    ]
    return {
        "seconds": round(seconds, 2),
        "added": int((~base).sum()),
        "gives_way": int((~kept).sum()),
        "outside_change": max(changes),
        "id_change": None if faces is None else faces.change(worn),
    }


class FaceComparer:
    """Says how much less alike a face is with something on it.

    Args:
        model: tells faces apart.
        avatar: without it.
    """

    def __init__(self, model: FaceModel, avatar: Avatar) -> None:
        self._model = model
        rgb = self._draw(avatar)
        found = open_detectors().face_landmarks(rgb)
        self._landmarks = None if found is None else found.landmarks
        self._before = None if found is None else model.vector(rgb, found.landmarks)

    def change(self, worn: Avatar) -> float | None:
        """1 - cosine to the face without it; the face is where it was."""
        if self._landmarks is None or self._before is None:
            return None
        after = self._model.vector(self._draw(worn), self._landmarks)
        return 1.0 - float(self._before @ after)

    @staticmethod
    def _draw(avatar: Avatar) -> FloatArray:
        """[H, W, 3] the photo's view, with 768 pixels on the longer side."""
        shown = apply_attributes(avatar)
        camera = shown.camera.resized(*fit_size(shown.camera.width, shown.camera.height, FACE_SIDE))
        drawn = render_camera(pose_avatar(shown, shown.pose), camera, background=np.full(3, 0.5))
        return np.clip(np.asarray(drawn.rgb), 0.0, 1.0)


def measure_poses(avatar: Avatar, repeats: int) -> float:
    """Least milliseconds of a new pose in Blender: other programs only add to it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as folder:
        objects, _ = time_import_slices(avatar, Path(folder))
    return min(pose_times(objects, avatar, repeats, every_expression=False))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("avatars", type=Path, nargs="*")
    parser.add_argument("--quick", action="store_true", help="a few items of each category")
    parser.add_argument("--face-model", help="ONNX file that tells faces apart; SFace if installed")
    parser.add_argument("--family", help="shards of one person's family")
    parser.add_argument("--networks", type=Path, nargs=2, metavar=("WITH", "WITHOUT"))
    parser.add_argument("--size", type=int, default=128, help="pixels of the family's pictures")
    options = parser.parse_args()
    if not options.avatars and not options.family:
        parser.error("give avatars, or --family with --networks")
    if bool(options.family) != bool(options.networks):
        parser.error("--family and --networks belong together")
    whole: dict[str, Any] = {"benchmark": "attributes"}
    if options.avatars:
        whole |= measure_avatars(options)
    if options.family:
        whole |= measure_interpolation(options)
    print(json.dumps(whole))
    return 0


def measure_interpolation(options: argparse.Namespace) -> dict[str, Any]:
    """What learning from people in between gains; prints the figures of both networks."""
    found = []
    for folder in options.networks:
        rows = measure_looks(folder, [options.family], options.size)
        means = {kind: mean_figures(views) for kind, views in rows.items()}
        print({"network": str(folder), **means, "views": len(rows["between"])}, flush=True)
        found.append(rows["between"])
    return {"interp_gain_db": interpolation_gain(*found)}


def measure_avatars(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of all avatars together; prints those of each."""
    model, missing = load_face_model(options.face_model)
    if model is None:
        print(f"id_change is not measured: {missing}", file=sys.stderr)
    wanted = QUICK if options.quick else ITEMS
    items = [(category, item) for category, names in wanted.items() for item in names]
    changes, ratios, ids = [], [], []
    for path in options.avatars:
        avatar = load_editable_avatar(path)
        faces = None if model is None else FaceComparer(model, avatar)
        for category, item in items:
            try:
                row = measure_edit(avatar, ItemRequest(category, item), faces)
            except NothingToEditError as error:  # no beard to take off
                print({"avatar": path.parent.name, "item": item, "skipped": str(error)})
                continue
            if row["id_change"] is not None and category in KEEPS_FACE and "sun-" not in item:
                ids.append(row["id_change"])
            changes.append(row["outside_change"])
            print({"avatar": path.parent.name, "item": item, **row}, flush=True)
        repeats = 10 if options.quick else 50
        worn = add_item(apply_attributes(avatar), ItemRequest("hat", "fedora"))
        times = [measure_poses(one, repeats) for one in (replace(worn, attributes=()), worn)]
        ratios.append(times[1] / times[0])
        print({"avatar": path.parent.name, "pose_ms": [round(t, 1) for t in times]}, flush=True)
    return {
        "outside_change": max(changes),
        "id_change": max(ids, default=None),
        "pose_ms_ratio": round(statistics.median(ratios), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
