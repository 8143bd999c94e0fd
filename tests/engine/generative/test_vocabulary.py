"""The vocabularies hold what the paper counts, and nothing twice."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.generative.vocabulary import FOLDER, LISTS, Vocabulary, load_vocabulary

PAPER = {
    "actions": 131,
    "hair_colours": 26,
    "hair_styles": 54,
    "reinforcements": 22,
    "colours": 64,
    "fabrics": 45,
    "tops": 400,
    "outerwear": 1000,
    "accessories": 45,
    "front_graphics": 300,
    "outerwear_details": 200,
    "roles": 1000,
    "ages": 24,
    "regions": 52,
    "genders": 4,
    "times": 26,
}
"""Supplement B.2.1."""


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def test_the_counts_of_the_paper(vocabulary: Vocabulary) -> None:
    assert {name: len(vocabulary[name]) for name in PAPER} == PAPER
    lights = [t.tags & {"day", "night"} for t in vocabulary["lighting"]]
    assert (lights.count({"day"}), lights.count({"night"})) == (27, 25)
    groups = [next(iter(t.tags)) for t in vocabulary["colours"]]
    assert {groups.count(group) for group in groups} == {8}
    assert len(set(groups)) == 8


def test_every_term_is_said_once_and_cleanly(vocabulary: Vocabulary) -> None:
    assert set(vocabulary) == set(LISTS)
    for name, terms in vocabulary.items():
        texts = [t.text for t in terms]
        assert len({text.lower() for text in texts}) == len(texts), name
        for text in texts:
            assert re.fullmatch(r"[A-Za-z0-9' ,.:-]+", text), text
            assert text == " ".join(text.split())
            words = text.lower().replace("-", " ").split()
            assert all(a != b for a, b in pairwise(words)), text


def test_what_must_not_be_there(vocabulary: Vocabulary) -> None:
    """Nobody is a child; no nations."""
    said = " ".join(t.text.lower() for terms in vocabulary.values() for t in terms)
    for word in ("child", "teen", "boy", "girl", "baby", "american", "chinese", "british"):
        assert not re.search(rf"\b{word}", said), word


def test_tags_leave_something_for_everything(vocabulary: Vocabulary) -> None:
    for when in ("day", "night"):
        assert any(when in t.tags for t in vocabulary["times"])
        for where in ("in", "out"):
            assert any({when, where} <= t.tags for t in vocabulary["lighting"])
    tops = {t.tags for t in vocabulary["tops"]}
    assert {t.tags for t in vocabulary["fabrics"]} == tops
    for kind in tops:
        assert any(t.tags & kind for t in vocabulary["patterns"])
    assert all(len(t.tags & {"in", "out"}) == 1 for t in vocabulary["roles"])
    assert all(len(t.tags) == 1 for t in vocabulary["genders"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ages\n", "cannot be read"),
        ("[ages]\ncount = 3\n[[ages.family]]\nwords = ['a', 'b']\n", "2 terms and says 3"),
        ("[ages]\ncount = 2\n[[ages.family]]\nwords = ['a', 'a']\n", "'a' twice"),
        ("[ages]\ncount = 2\n", "not built of families"),
        ("[ages]\ncount = 1\n[[ages.family]]\nform = '{x}'\n", "not built of families"),
        ("[ages]\ncount = 1\n[[ages.family]]\nwords = ['a']\n", "lacks genders"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "person.toml").write_text(text)
    with pytest.raises(LikenessError, match=said) as error:
        load_vocabulary(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_a_list_in_two_files(tmp_path: Path) -> None:
    for path in FOLDER.glob("*.toml"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "zz.toml").write_text("[ages]\ncount = 1\n[[ages.family]]\nwords = ['a']\n")
    with pytest.raises(LikenessError, match=r"zz\.toml.*'ages' is there twice"):
        load_vocabulary(tmp_path)
