"""Prune PocketSphinx's model of words, which is too large for the extension: ``word_model.py OUT``.

Of its 27 MB stay the words, and the pairs that matter most: those whose weight times gain in
log-likelihood over the two words alone is greatest (Stolcke 1998). Needs numpy and PocketSphinx.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PAIRS = 300_000
_RARE = -60.0  # natural logarithm of the probability of what is never said
_LEAST = 1e-4

_WRITE = """
import sys, pocketsphinx
path = pocketsphinx.get_model_path("en-us/en-us.lm.bin")
pocketsphinx.NGramModel.readfile(path).write(sys.argv[1])
"""
"""Lists the model's words and pairs, with wrong probabilities, and crashes among the triples."""


def write_word_model(out: Path, pairs: int = PAIRS) -> None:
    """Write the pruned model.

    Args:
        out: the file, whose name must end in ``.lm.bin``.
        pairs: how many are kept.

    Raises:
        ValueError: PocketSphinx does not list its model.
    """
    import numpy as np
    import pocketsphinx

    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch) / "every.lm"
        subprocess.run([sys.executable, "-c", _WRITE, listed], check=False)
        words, found = _read_lists(listed.read_text(encoding="utf-8", errors="replace"))
        model = pocketsphinx.NGramModel.readfile(pocketsphinx.get_model_path("en-us/en-us.lm.bin"))
        base = math.log(1.0001)  # of PocketSphinx's own logarithms
        row = {word: k for k, word in enumerate(words)}
        alone = np.array([model.prob([word]) for word in words]) * base
        alone = np.where(alone > _RARE, alone, _RARE)
        before = np.array([row[first] for first, _ in found])
        after = np.array([row[second] for _, second in found])
        pair = np.array([model.prob([second, first]) for first, second in found]) * base

        def back_off() -> Any:
            total = np.bincount(before, np.exp(pair), len(words))
            single = np.bincount(before, np.exp(alone[after]), len(words))
            return np.log(np.maximum(1 - total, _LEAST) / np.maximum(1 - single, _LEAST))

        gain = np.exp(alone[before] + pair) * (pair - back_off()[before] - alone[after])
        kept = np.sort(np.argsort(-gain, kind="stable")[:pairs])
        before, after, pair = before[kept], after[kept], pair[kept]
        weight = back_off()
        order = np.lexsort((after, before))
        ten = math.log(10)
        lines = ["\\data\\", f"ngram 1={len(words)}", f"ngram 2={len(order)}", "", "\\1-grams:"]
        lines += [f"{alone[k] / ten:.4f}\t{w}\t{weight[k] / ten:.4f}" for k, w in enumerate(words)]
        lines += ["", "\\2-grams:"]
        lines += [f"{pair[k] / ten:.4f}\t{words[before[k]]}\t{words[after[k]]}" for k in order]
        text = Path(scratch) / "words.arpa"
        text.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
        pocketsphinx.NGramModel.readfile(str(text)).write(str(out))


def _read_lists(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Words, and pairs of them, of a model's text."""
    lines = text.split("\n")
    counts = dict(
        line.removeprefix("ngram ").split("=") for line in lines[:10] if line.startswith("ngram ")
    )
    first, second = lines.index("\\1-grams:"), lines.index("\\2-grams:")
    words = [line.split("\t")[1] for line in lines[first + 1 : second] if "\t" in line]
    parts = [line.split("\t") for line in lines[second + 1 : second + 1 + int(counts["2"])]]
    known = set(words)
    pairs = [(p[1], p[2]) for p in parts if len(p) == 4 and p[1] in known and p[2] in known]
    if len(pairs) < 0.99 * int(counts["2"]):
        raise ValueError("PocketSphinx does not list the pairs of its model of words.")
    return words, pairs


if __name__ == "__main__":
    write_word_model(Path(sys.argv[1]))
