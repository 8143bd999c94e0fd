"""A language model turns composed scenes into fluent ones (paper, supplement B.3).

It may add plausible detail (a workplace, tools, pockets, seams), and must keep the sampled factors.
That is checked by words; failures are retried with another seed, and after some rounds the template
stays, with the reason in the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from ..core.options import option
from .compose import Prompt
from .models import Placement

SYSTEM = """\
You prepare shooting notes for a video model that films one person from the waist up. You receive
a plain scene and return one paragraph of flowing English, 80 to 170 words, nothing before or after
it.

1. Be concrete. Where the scene could be read in two ways, settle on one that can be seen.
2. If the person has an occupation or a role, give the place where such a person is met, with one or
two fitting things in the background, and let dress and equipment agree with each other. Leave out
what safety or custom would not allow.
3. Say more about the clothing: seams, pockets, fastenings, weave, emblems without words or brands.
4. Keep, in the words that you were given: age, kind of person, region, hair, colours, garments,
role, movement, hour and light. Add no second person and no text in the picture.
5. The person stands, faces the camera, and keeps both hands in the picture; the camera does not
move."""

MIN_WORDS, MAX_WORDS = 45, 260
ROUNDS = 3
MAX_NEW_TOKENS = 400
"""Of an answer; 260 words are about 350."""

KEPT: Mapping[str, float] = {
    "age": 1.0,
    "gender": 1.0,
    "region": 0.6,
    "hair_colour": 1.0,
    "hair_style": 0.5,
    "top": 0.5,
    "top_colour": 1.0,
    "top_fabric": 0.5,
    "outerwear": 0.5,
    "outer_colour": 1.0,
    "accessory": 0.5,
    "role": 0.6,
    "action": 0.4,
}
"""Share of a factor's words that must be present. Movements and styles may be reworded."""

_SMALL = frozenset(
    re.findall(
        r"\w+",
        "a an and as at back by for from his her in into it its of on or over the their "
        "then to two under with",
    )
)
_META = re.compile(r"^\s*(here is|here's|sure|certainly|of course|rewritten|note:|[-*#\d])", re.I)

Complete = Callable[[Sequence[str], int], list[str]]
"""Maps scenes and a seed to the model's answers."""


@dataclass(frozen=True)
class RewriteOptions:
    """Options of the language model.

    Attributes:
        temperature: Of sampling.
        top_p: Of sampling.
        batch: Scenes at once.
        max_new_tokens: Of an answer.
    """

    temperature: float = option(
        0.7,
        help="Sampling temperature of the language model; higher is more varied.",
        metavar="X",
        min=0.01,
        max=2.0,
        show_default=True,
    )
    top_p: float = 0.9
    batch: int = option(8, help="Scenes rewritten at once.", metavar="N", min=1, show_default=True)
    max_new_tokens: int = MAX_NEW_TOKENS


def find_objections(prompt: Prompt, text: str) -> list[str]:
    """List why ``text`` cannot replace the prompt; empty if it can."""
    out = []
    count = len(text.split())
    if not MIN_WORDS <= count <= MAX_WORDS:
        out.append(f"it has {count} words")
    if "\n" in text.strip() or _META.match(text):
        out.append("it is not one paragraph of prose")
    found = _words(text)
    for axis, share in KEPT.items():
        wanted = _words(prompt.factors.get(axis, ""))
        if wanted and len(wanted & found) < share * len(wanted):
            out.append(f"{axis} '{prompt.factors[axis]}' is lost")
    return out


def _words(text: str) -> set[str]:
    """Its words by their stems, without function words."""
    words = re.findall(r"[a-z]+", text.lower())
    return {_stem(word) for word in words if word not in _SMALL and len(word) > 1}


def _stem(word: str) -> str:
    """A rough stem, the same on both sides.

    >>> _stem("pockets") == _stem("pocket"), _stem("lowering") == _stem("lowers")
    (True, True)
    """
    for ending in ("ing", "es", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def rewrite_prompts(
    prompts: Sequence[Prompt], complete: Complete, about: Mapping[str, Any], batch: int = 8
) -> Iterator[Prompt]:
    """Rewrite prompts, in order.

    Args:
        prompts: To rewrite.
        complete: The model.
        about: Its entry in records.
        batch: Prompts at once; batches are cut at its multiples.
    """
    for _, together in groupby(prompts, lambda prompt: prompt.number // batch):
        yield from _batch(list(together), complete, about)


def _batch(prompts: Sequence[Prompt], complete: Complete, about: Mapping[str, Any]) -> list[Prompt]:
    done: dict[int, Prompt] = {}
    against: dict[int, list[str]] = {}
    for attempt in range(ROUNDS):
        open_ones = [k for k in range(len(prompts)) if k not in done]
        if not open_ones:
            break
        seed = answer_seed(prompts[0], attempt)
        answers = complete([prompts[k].template for k in open_ones], seed)
        for k, answer in zip(open_ones, answers, strict=True):
            text = answer.strip()
            against[k] = find_objections(prompts[k], text)
            if not against[k]:
                record = {**about, "outcome": "rewritten", "attempt": attempt, "seed": seed}
                done[k] = replace(prompts[k], text=text, rewriting=record)
    for k, prompt in enumerate(prompts):
        if k not in done:
            record = {**about, "outcome": "template kept", "reasons": against[k]}
            done[k] = replace(prompt, text=prompt.template, rewriting=record)
    return [done[k] for k in range(len(prompts))]


def answer_seed(first: Prompt, attempt: int) -> int:
    """Get the sampling seed of a batch that begins with ``first``."""
    return (first.seed * 1_000_003 + first.number * ROUNDS + attempt) % 2**63


def open_language_model(
    source: str, placement: Placement, options: RewriteOptions | None = None
) -> tuple[Complete, dict[str, Any]]:
    """Load a causal language model of ``transformers``.

    Args:
        source: As for :func:`.models.resolve_model`.
        placement: Where it runs.
        options: Of sampling.

    Returns:
        The model as :data:`Complete`, and its entry in records.

    Raises:
        LikenessError: It is missing, cannot be loaded, or has no chat template.
    """
    from .loading import load_language_model, seeded_sampling

    options = options or RewriteOptions()
    model, tokenizer, about = load_language_model(source, placement)
    tokenizer.padding_side = "left"  # so that answers follow their questions directly
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token

    def complete(scenes: Sequence[str], seed: int) -> list[str]:
        chats = [
            [{"role": "system", "content": SYSTEM}, {"role": "user", "content": scene}]
            for scene in scenes
        ]
        texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        inputs = inputs.to(model.device)
        with seeded_sampling("rewriting", seed):
            out = model.generate(
                **inputs,
                do_sample=True,
                temperature=options.temperature,
                top_p=options.top_p,
                max_new_tokens=options.max_new_tokens,
                pad_token_id=tokenizer.pad_token_id,
            )
        answers = out[:, inputs["input_ids"].shape[1] :]
        return [str(text) for text in tokenizer.batch_decode(answers, skip_special_tokens=True)]

    settings = {"temperature": options.temperature, "top_p": options.top_p, "batch": options.batch}
    return complete, {**about, **settings}
