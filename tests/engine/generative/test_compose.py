"""Scenes: the same for a seed and number, grammatical, without contradictions."""

from __future__ import annotations

import re

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.generative.compose import (
    NUM_NEGATIVES,
    OPTIONAL,
    Prompt,
    add_article,
    compose_prompt,
    count_distinct,
    measure_diversity,
)
from likeness.engine.generative.vocabulary import Vocabulary, VocabularyTerm, load_vocabulary


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def prompts(vocabulary: Vocabulary) -> list[Prompt]:
    return [compose_prompt(number, 3, vocabulary) for number in range(600)]


def tags(vocabulary: Vocabulary, name: str, text: str) -> frozenset[str]:
    return next(term.tags for term in vocabulary[name] if term.text == text)


def test_the_same_again_and_different_otherwise(
    vocabulary: Vocabulary, prompts: list[Prompt]
) -> None:
    assert compose_prompt(77, 3, vocabulary) == prompts[77]
    assert compose_prompt(77, 4, vocabulary).template != prompts[77].template
    assert count_distinct(prompts) == len(prompts)
    assert [p.regime for p in prompts[:4]] == ["outfit", "role", "outfit", "role"]


def test_the_text_says_every_factor(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        text = prompt.template.lower()
        for axis, value in prompt.factors.items():
            if axis != "day_or_night":
                assert value.lower() in text, (axis, value, prompt.template)
        assert prompt.text == prompt.template
        assert (
            len(prompt.negative.split(", "))
            == NUM_NEGATIVES
            == len(set(prompt.negative.split(", ")))
        )


def test_the_text_is_clean(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        text = prompt.template
        assert not re.search(r"  | ,| \.|\.\.|,,|[{}]|None", text), text
        assert text[0].isupper()
        assert text.endswith(".")
        # Sounds that a letter does not tell stand in no list but "honey", "one", "hour".
        for word in re.findall(r"\ba ([a-z]+)", text):
            assert word[0] not in "aeiou" or word.startswith(("one", "uni", "util")), text
        for word in re.findall(r"\b[Aa]n ([a-zA-Z]+)", text):
            assert word[0].lower() in "aeiou" or word.startswith("hour"), text


@pytest.mark.parametrize(
    ("phrase", "whole"),
    [
        ("utility jacket", "a utility jacket"),
        ("umber coat", "an umber coat"),
        ("unstructured blazer", "an unstructured blazer"),
        ("unison", "a unison"),
        ("European", "a European"),
        ("onion", "an onion"),
        ("honey blond bob", "a honey blond bob"),
        ("A-line coat", "an A-line coat"),
        ("early riser", "an early riser"),
        ("uniform", "a uniform"),
        ("union jacket", "a union jacket"),
    ],
)
def test_articles(phrase: str, whole: str) -> None:
    assert add_article(phrase) == whole


def test_what_goes_together(vocabulary: Vocabulary, prompts: list[Prompt]) -> None:
    for prompt in prompts:
        factors = prompt.factors
        light = tags(vocabulary, "lighting", factors["lighting"])
        time = tags(vocabulary, "times", factors["time"])
        assert factors["day_or_night"] in time & light
        skies = light - {"day", "night", "in", "out"}
        assert not skies or skies & time
        if "young" in tags(vocabulary, "ages", factors["age"]):
            assert not tags(vocabulary, "hair_colours", factors["hair_colour"])
        if prompt.regime == "role":
            role = tags(vocabulary, "roles", factors["role"])
            assert role & {"in", "out"} <= light
            if "tidy" in role:
                assert "loose" not in tags(vocabulary, "hair_styles", factors["hair_style"])
            assert "top" not in factors
        else:
            assert "role" not in factors
            top = tags(vocabulary, "tops", factors["top"])
            assert top == tags(vocabulary, "fabrics", factors["top_fabric"])
            assert factors.get("outer_colour") != factors["top_colour"]
            worn = factors.get("accessory", "")
            assert not worn.endswith("tie") or "shirt" in top
            if worn in ("a soft beret", "a knitted beanie pushed back"):
                assert "high" not in tags(vocabulary, "hair_styles", factors["hair_style"])


@pytest.mark.parametrize(
    ("time", "light"),
    [
        ("an overcast day", "low warm sun from the left with sky fill"),
        ("just after sunrise", "high sun softened by thin cloud"),
        ("noon", "snow-bounced light from below and above"),
        ("blue hour at dusk", "moonlight as rim with a soft lamp in front"),
    ],
)
def test_skies_that_contradict_each_other(vocabulary: Vocabulary, time: str, light: str) -> None:
    two = dict(vocabulary)
    two["times"] = tuple(t for t in vocabulary["times"] if t.text == time)
    two["lighting"] = tuple(t for t in vocabulary["lighting"] if t.text == light)
    with pytest.raises(LikenessError, match="'lighting' has nothing"):
        compose_prompt(0, 0, two)


def test_what_may_be_missing_is_as_often_as_said(prompts: list[Prompt]) -> None:
    outfits = [p for p in prompts if p.regime == "outfit"]
    for axis, share in OPTIONAL.items():
        among = prompts if axis == "region" else outfits
        there = sum(axis in p.factors for p in among) / len(among)
        assert there == pytest.approx(share, abs=0.1)


def test_small_lists_are_used_whole(vocabulary: Vocabulary, prompts: list[Prompt]) -> None:
    counts = measure_diversity(prompts, vocabulary)
    for axis in ("age", "gender", "region", "hair_colour", "hair_style", "time", "lighting"):
        assert counts[axis]["used"] == counts[axis]["of"], axis
    assert counts["role"]["used"] > 220
    assert counts["role"]["of"] == 1000


def test_as_a_line_of_json(prompts: list[Prompt]) -> None:
    line = prompts[5].line()
    assert "\n" not in line
    assert Prompt.of_line(line) == prompts[5]
    with pytest.raises(LikenessError, match="line 3 is not a prompt"):
        Prompt.of_line("{}", "line 3")


def test_a_vocabulary_without_what_is_needed(vocabulary: Vocabulary) -> None:
    dark = dict(vocabulary) | {"lighting": (VocabularyTerm("a torch", frozenset({"night", "in"})),)}
    with pytest.raises(LikenessError, match="'lighting' has nothing"):
        [compose_prompt(number, 0, dark) for number in range(20)]
