"""A worker that makes small coloured cards instead of people, quickly; the tests start it.

What it does comes in the request's options or as JSON in its arguments: ``seconds`` for each
subject, ``slow``: for some of them, ``crash`` and ``fail``: numbers at which it dies or fails.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from likeness.addon.synth.subject_worker import SubjectMaker, serve_subjects
from likeness.engine.core.cameras import intrinsics, look_at
from likeness.engine.core.types import NUM_JOINTS, Camera, LikenessError
from likeness.engine.dataset.subjects import Subject, SubjectView, encode_rgba, person_key

BETAS, EXPRESSION, SIZE = 3, 2, 8


def card(number: int, seed: int) -> Subject:
    """Subject ``number`` of a seed: two pictures of noise."""
    rng = np.random.default_rng([seed, number])
    camera = Camera(look_at(np.zeros(3), 2.0, 0.0, 0.0), intrinsics(9.0, SIZE, SIZE), SIZE, SIZE)
    views = tuple(
        SubjectView(name, 0, "front", 0.0, camera, False, encode_rgba(rng.random((SIZE, SIZE, 4))))
        for name in ("a", "b")
    )
    return Subject(
        person_key(number),
        "rendered",
        "full",
        seed,
        rng.normal(size=BETAS),
        np.zeros((1, NUM_JOINTS, 3)),
        np.zeros((1, 3)),
        np.zeros((1, EXPRESSION)),
        views,
        {
            "number": number,
            "traits": {"sex": ("female", "male")[number % 2], "age_band": "old", "tone": number},
            "looks": {
                "skin": {"picture": f"skin{number % 3}.png"},
                "hair": {"style": "bob" if number else "short02", "seed": number},
                "clothes": {
                    "outfit": "a/suit.mhclo" if number else "",
                    "top": "shirt",
                    "bottom": "jeans",
                    "shoes": "",
                },
                "accessories": {"hat": {"style": "cap"} if number == 2 else None, "scarf": None},
            },
            "lighting": {"environment": "yard.exr" if number else None},
            "engine": "raster",
        },
    )


def open_maker(request: Mapping[str, Any], skipped: Callable[[Path, str], None]) -> SubjectMaker:
    options = request["options"] | (json.loads(sys.argv[1]) if sys.argv[1:] else {})
    if options.get("closed"):
        raise LikenessError("The library is closed.", "Open it.")
    if options.get("broken"):
        skipped(Path("hats/fedora.mhclo"), "it has no vertices")

    def make(number: int) -> tuple[Subject, Mapping[str, float]]:
        time.sleep(options.get("slow", {}).get(str(number), options.get("seconds", 0.0)))
        if number in options.get("crash", ()):
            print("it is too dark in here", file=sys.stderr, flush=True)
            os._exit(9)
        if number in options.get("fail", ()):
            raise ValueError("there is no such number")
        return card(number, options["seed"]), {"looks": 0.25, "render": 0.5}

    return make


if __name__ == "__main__":
    sys.exit(serve_subjects(open_maker))
