"""Measure what a studio does with avatars: speech and performance.

    python benchmarks/studio.py [--quick] [--only NAME ...]

Each part prints a line and gives one or more figures; the last line of the output is all of them as
JSON. A part that lacks something (espeak-ng, the detectors) says so, and its figures are null.

    viseme_pct  per cent of the phoneme classes of ten sentences that begin within 60 ms of the
                truth, with the text given; closures_pct: of p, b and m, those with closed lips;
                heard_pct: as viseme_pct, without the text (benchmarks/figures/speech.py)

With --quick everything takes less than a minute on two cores.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from likeness.benchmarks.figures.speech import measure_speech, open_espeak
from likeness.engine.motion.speech.recognizer import find_recognizer

Figures = dict[str, float | None]


def measure_visemes(quick: bool) -> Figures:
    """Speech; not quick, also without the text."""
    problem = find_recognizer() or (None if open_espeak() else "espeak-ng is not installed.")
    if problem:
        print(f"speech: {problem}")
        return {"viseme_pct": None, "closures_pct": None, "heard_pct": None}
    with_text = measure_speech()
    heard = None if quick else measure_speech(with_text=False)["classes"]
    print(
        f"speech: {with_text['classes']:.1f} % of the phoneme classes within 60 ms, lips closed on "
        f"{with_text['closures']:.1f} % of p, b, m"
        + ("" if heard is None else f"; {heard:.1f} % without the text")
    )
    return {
        "viseme_pct": round(with_text["classes"], 1),
        "closures_pct": round(with_text["closures"], 1),
        "heard_pct": None if heard is None else round(heard, 1),
    }


PARTS: dict[str, Callable[[bool], Figures]] = {"speech": measure_visemes}
"""Name -> what measures it, given whether it has to be quick."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), help="these parts alone")
    chosen = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, measure in PARTS.items():
        if chosen.only is None or name in chosen.only:
            start = time.perf_counter()
            figures |= measure(chosen.quick)
            figures[f"{name}_seconds"] = round(time.perf_counter() - start, 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
