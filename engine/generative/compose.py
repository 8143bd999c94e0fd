"""Scenes composed from the vocabularies: one prompt per number (paper, supplement B.2.2).

Two kinds alternate: ``outfit`` names each garment, its colour and cloth; ``role`` names a person's
role and lets the outfit follow from it. All else is sampled alike. Contradictory factors (sun at
midnight, loose hair under a helmet, a bow tie on a jumper) are not combined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..core.types import LikenessError
from ..files.untrusted import parse_json
from .vocabulary import Vocabulary, VocabularyTerm

REGIMES = ("outfit", "role")
OPTIONAL: Mapping[str, float] = {
    "outerwear": 0.55,
    "accessory": 0.5,
    "decoration": 0.6,
    "region": 0.8,
}
"""Probability of each optional axis."""

NUM_NEGATIVES = 8
_REINFORCEMENTS = 2
_PROMPT = 0x9E37  # so that a prompt's numbers are not those of a rendered subject of the seed
_AN = re.compile(
    r"(?!one\b|once\b|uni(?!n)|ut[io]|use|eu|ewe)[aeiou]|hour|heir|honest|honou?r", re.I
)


@dataclass(frozen=True)
class Prompt:
    """One scene.

    Attributes:
        number: Of the scene.
        seed: Of the set.
        regime: One of :data:`REGIMES`.
        factors: Sampled values by axis; omitted axes are missing.
        template: The composed text.
        negative: The negative prompt.
        text: For the video model: the template, or the language model's version of it.
        rewriting: Record of how ``text`` was written (see :mod:`.rewrite`); empty: not rewritten
            yet.
    """

    number: int
    seed: int
    regime: str
    factors: Mapping[str, str]
    template: str
    negative: str
    text: str
    rewriting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of its files, and of the subject in the shards."""
        return f"generated_{self.number:06d}"

    def line(self) -> str:
        """Format it as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def of_line(line: str, where: str = "a prompt") -> Prompt:
        """Parse a line of :meth:`line`.

        Raises:
            LikenessError: It is not a prompt; names ``where``.
        """
        try:
            return Prompt(**parse_json(line))
        except (ValueError, TypeError) as error:
            raise LikenessError(
                f"{where} is not a prompt ({error}).", "Remove the file and start again."
            ) from error


def add_article(phrase: str) -> str:
    """Prefix a phrase with its indefinite article.

    >>> [add_article(x) for x in ("emerald coat", "uniform", "hourglass", "one-man band")]
    ['an emerald coat', 'a uniform', 'an hourglass', 'a one-man band']
    """
    return f"{'an' if _AN.match(phrase) else 'a'} {phrase}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def compose_prompt(number: int, seed: int, vocabulary: Vocabulary) -> Prompt:
    """Compose a scene, the same whatever else is composed.

    Args:
        number: Of the scene.
        seed: Of the set.
        vocabulary: With the terms of all axes.

    Raises:
        LikenessError: The vocabulary lacks a suitable term.
    """
    rng = np.random.default_rng([seed, number, _PROMPT])
    regime = REGIMES[number % len(REGIMES)]
    drawn = _Draw(rng, vocabulary)
    factors: dict[str, str] = {}
    gender, age = drawn.term("genders"), drawn.term("ages")
    factors |= {"age": str(age), "gender": str(gender)}
    if drawn.present("region"):
        factors["region"] = str(drawn.term("regions"))
    who = _who(age, gender, factors.get("region"))
    role = drawn.term("roles") if regime == "role" else None
    loose, young = role is None or "tidy" not in role.tags, "young" in age.tags
    style = drawn.term("hair_styles", lambda t: loose or "loose" not in t.tags)
    colour = str(drawn.term("hair_colours", lambda t: "grey" not in t.tags or not young))
    factors |= {"hair_colour": colour, "hair_style": str(style)}
    hair = f"{colour} {style}"
    hair = add_article(hair) if "one" in style.tags else hair
    if role is None:
        wears = _outfit(drawn, factors, style)
        scene = f"{_sentence(add_article(who))} wearing {wears}, with {hair}."
    else:
        factors["role"] = str(role)
        scene = (
            f"{_sentence(add_article(str(role)))}: {add_article(who)}, with {hair}. Clothing and "
            "equipment are true to the role in every detail."
        )
    opening, lines = _circumstances(drawn, factors, role)
    factors["action"] = str(drawn.term("actions"))
    text = (
        f"{opening} {scene} The person {factors['action']}. One person alone, standing upright, "
        "shown from the waist up by a fixed camera, both arms and hands in the picture, the face "
        f"uncovered. {lines}"
    )
    negative = ", ".join(t.text for t in drawn.several("negatives", NUM_NEGATIVES))
    return Prompt(number, seed, regime, factors, text, negative, text)


def _who(age: VocabularyTerm, gender: VocabularyTerm, region: str | None) -> str:
    """Without article: ``middle-aged woman from the Andes``."""
    whose = next(iter(gender.tags))
    who = f"{gender} in {whose} {age}" if "decade" in age.tags else f"{age} {gender}"
    return f"{who} from {region}" if region else who


def _outfit(drawn: _Draw, factors: dict[str, str], style: VocabularyTerm) -> str:
    fabric = drawn.term("fabrics")
    top = drawn.term("tops", lambda t: t.tags == fabric.tags)
    colour = str(drawn.term("colours"))
    factors |= {"top_colour": colour, "top_fabric": str(fabric), "top": str(top)}
    out = f"{add_article(str(top))} in {colour} {fabric}"
    if drawn.present("decoration"):
        factors["decoration"] = _decoration(drawn, top.tags)
        out += f" with {factors['decoration']}"
    if drawn.present("outerwear"):
        over, detail = str(drawn.term("outerwear")), str(drawn.term("outerwear_details"))
        colour = str(drawn.term("colours", lambda t: str(t) != factors["top_colour"]))
        factors |= {"outer_colour": colour, "outerwear": over, "outerwear_detail": detail}
        out += f" under an open {over} in {colour} {detail}"
    if drawn.present("accessory"):
        suited = top.tags if "high" in style.tags else top.tags | {"hat"}
        factors["accessory"] = str(drawn.term("accessories", lambda t: t.tags <= suited))
        out += f", and {factors['accessory']}"
    return out


def _decoration(drawn: _Draw, tags: frozenset[str]) -> str:
    """A decoration that suits the kind of top: prints on jersey, weaves on shirts."""
    lists = ["patterns", "patterns", "colour_blocks", "embroideries"]
    if "jersey" in tags:
        lists += ["front_graphics", "front_graphics", "front_graphics", "wordmarks"]
    if tags & {"shirt", "dressy"}:
        lists.append("all_over_prints")
    chosen = lists[int(drawn.rng.integers(len(lists)))]
    return str(drawn.term(chosen, lambda t: not t.tags or bool(t.tags & tags)))


def _circumstances(
    drawn: _Draw, factors: dict[str, str], role: VocabularyTerm | None
) -> tuple[str, str]:
    """The sentence about time, light and shot, and the final lines about the light."""
    time = drawn.term("times")
    flag = "day" if "day" in time.tags else "night"
    place = (role.tags if role is not None else frozenset()) & {"in", "out"}

    def suits(light: VocabularyTerm) -> bool:
        skies = light.tags - {"day", "night", "in", "out"}
        return flag in light.tags and place <= light.tags and (not skies or bool(skies & time.tags))

    light = drawn.term("lighting", suits)
    shot = drawn.term("shot_sizes")
    factors |= {"time": str(time), "day_or_night": flag, "lighting": str(light)}
    factors["shot_size"] = str(shot)
    lines = " ".join(t.text for t in drawn.several("reinforcements", _REINFORCEMENTS))
    factors["reinforcement"] = lines
    opening = f"{_sentence(str(time))}: {light}; {shot}, subject in the middle."
    return opening, lines


class _Draw:
    """Samples terms at random."""

    def __init__(self, rng: np.random.Generator, vocabulary: Vocabulary) -> None:
        self.rng, self._vocabulary = rng, vocabulary

    def present(self, axis: str) -> bool:
        return bool(self.rng.random() < OPTIONAL[axis])

    def term(self, name: str, suits: Any = None) -> VocabularyTerm:
        terms = [t for t in self._vocabulary[name] if suits is None or suits(t)]
        if not terms:
            raise LikenessError(
                f"The vocabulary's '{name}' has nothing that goes with the rest of a scene.",
                "Add terms with the tags that are missing, or use Likeness's own.",
            )
        return terms[int(self.rng.integers(len(terms)))]

    def several(self, name: str, count: int) -> list[VocabularyTerm]:
        terms = self._vocabulary[name]
        rows = self.rng.permutation(len(terms))[:count]
        return [terms[row] for row in rows]


def measure_diversity(
    prompts: Iterable[Prompt], vocabulary: Vocabulary
) -> dict[str, dict[str, int]]:
    """Count the distinct values of each axis, and the terms of its vocabulary."""
    values: dict[str, set[str]] = {}
    for prompt in prompts:
        for axis, value in prompt.factors.items():
            values.setdefault(axis, set()).add(value)
    return {
        axis: {"used": len(seen), "of": len(vocabulary[_LIST_OF[axis]])}
        for axis, seen in sorted(values.items())
        if axis in _LIST_OF
    }


_LIST_OF: Mapping[str, str] = {
    "age": "ages",
    "gender": "genders",
    "region": "regions",
    "hair_colour": "hair_colours",
    "hair_style": "hair_styles",
    "time": "times",
    "lighting": "lighting",
    "shot_size": "shot_sizes",
    "action": "actions",
    "role": "roles",
    "top_colour": "colours",
    "top_fabric": "fabrics",
    "top": "tops",
    "outer_colour": "colours",
    "outerwear": "outerwear",
    "outerwear_detail": "outerwear_details",
    "accessory": "accessories",
}


def count_distinct(prompts: Sequence[Prompt]) -> int:
    """Count the distinct templates among prompts."""
    return len({prompt.template for prompt in prompts})
