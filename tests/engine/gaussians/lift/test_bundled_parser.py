"""The parser that comes with Likeness is right about a new person."""

from __future__ import annotations

import numpy as np
from likeness.engine.core.types import Camera, Pose
from likeness.engine.gaussians.lift.pixels.labels_parser import load_parser
from likeness.engine.synth.figure import SynthContext
from likeness.engine.synth.subject import RasterStudio
from likeness.engine.synth.synth_options import SynthOptions
from likeness.engine.training.pixel_labels.people import UNKNOWN, draw_pictures

SIZE = 160


def test_it_names_an_unseen_persons_parts(synth_world: SynthContext) -> None:
    options = SynthOptions(
        seed=5, split="test", size=SIZE, texture_size=128, views=1, engine="raster"
    )
    studio = RasterStudio(synth_world.surroundings.read)
    (arrays,) = draw_pictures(2, options, synth_world, studio, count=1)
    body = synth_world.dress.body.personalised(arrays["betas"])
    vertices, _ = body.vertices(Pose(*(arrays[k] for k in ("full_pose", "transl", "expression"))))
    camera = Camera(arrays["viewmat"], arrays["K"], SIZE, SIZE)
    rgba, label = arrays["rgba"] / np.float32(255), arrays["label"]
    mask = rgba[..., 3] > 0.5
    parser = load_parser()
    assert parser is not None
    assert parser.fits(body)
    said = parser.parse(rgba[..., :3], mask, camera, body, vertices).argmax(-1)
    asked = mask & (label != UNKNOWN)
    usual = np.bincount(label[asked]).max() / asked.sum()  # one label for all
    assert (said == label)[asked].mean() > max(0.85, usual + 0.1)
