"""Lip sync of other programs, written as they write it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.motion.speech import cue_files
from likeness.engine.motion.speech.articulation import articulate
from likeness.engine.motion.speech.cue_files import read_cues
from likeness.engine.motion.speech.visemes import Cue, read_viseme_table

TSV = "0.00\tX\n0.50\tB\n0.71\tA\n0.80\tD\n1.20\tX\n"
XML = """<?xml version="1.0" encoding="utf-8"?>
<rhubarbResult>
  <metadata><soundFile>a.wav</soundFile><duration>1.40</duration></metadata>
  <mouthCues>
    <mouthCue start="0.00" end="0.50">X</mouthCue>
    <mouthCue start="0.50" end="0.71">B</mouthCue>
    <mouthCue start="0.71" end="0.80">A</mouthCue>
    <mouthCue start="0.80" end="1.20">D</mouthCue>
    <mouthCue start="1.20" end="1.40">X</mouthCue>
  </mouthCues>
</rhubarbResult>
"""
JSON = """{"metadata": {"soundFile": "a.wav", "duration": 1.4}, "mouthCues": [
  {"start": 0.0, "end": 0.5, "value": "X"}, {"start": 0.5, "end": 0.71, "value": "B"},
  {"start": 0.71, "end": 0.8, "value": "A"}, {"start": 0.8, "end": 1.2, "value": "D"},
  {"start": 1.2, "end": 1.4, "value": "X"}]}
"""
DAT = "MohoSwitch1\n1 rest\n13 MBP\n16 AI\n25 etc\n31 rest\n"
PGO = """lipsync version 1
/sounds/hello.wav
24
48
1
\tVoice 1
\tmap now|
\t1
\t\tmap now
\t\t12
\t\t35
\t\t2
\t\t\tmap 12 20 3
\t\t\t\t12 MBP
\t\t\t\t14 AI
\t\t\t\t19 MBP
\t\t\tnow 24 35 2
\t\t\t\t24 L
\t\t\t\t28 U
"""
GOOD = {"a.tsv": TSV, "a.xml": XML, "a.json": JSON, "a.dat": DAT, "a.pgo": PGO}


def pg2(words: list[tuple[int, list[tuple[int, str]]]], **other: object) -> str:
    """Papagayo-NG's JSON, of words that end in a frame and have phonemes at frames."""
    listed = [
        {
            "id": k,
            "text": "word",
            "start_frame": phones[0][0],
            "end_frame": end,
            "tags": [],
            "phonemes": [
                {"id": i, "text": name, "frame": frame, "tags": []}
                for i, (frame, name) in enumerate(phones)
            ],
        }
        for k, (end, phones) in enumerate(words)
    ]
    phrase = {"id": 0, "text": "map now", "start_frame": 12, "end_frame": 35, "tags": []}
    voice = {"name": "Voice 1", "start_frame": 12, "end_frame": 35, "text": "map now"}
    silent = {**voice, "name": "Voice 0", "num_children": 0, "phrases": [], "used_phonemes": []}
    spoken = {**voice, "num_children": 8, "phrases": [{**phrase, "words": listed}]}
    data = {"version": 2, "sound_path": "hello.wav", "fps": 24, "sound_duration": 48}
    data |= {"num_voices": 2, "phoneme_set": "preston_blair", "voices": [silent, spoken], **other}
    return json.dumps(data, indent=True)


MAP_NOW = [(20, [(12, "MBP"), (14, "AI"), (19, "MBP")]), (35, [(24, "L"), (28, "U")])]
PG2 = pg2(MAP_NOW)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def shapes(cues: list[Cue]) -> list[tuple[str, float]]:
    return [(cue.viseme, round(cue.start, 3)) for cue in cues]


@pytest.mark.parametrize("name", ["a.tsv", "a.xml", "a.json"])
def test_rhubarb(tmp_path: Path, name: str) -> None:
    cues = read_cues(write(tmp_path, name, GOOD[name]))
    assert shapes(cues) == [("sil", 0.0), ("SS", 0.5), ("PP", 0.71), ("aa", 0.8), ("sil", 1.2)]
    assert cues[-1].end == pytest.approx(1.3 if name == "a.tsv" else 1.4)


@pytest.mark.parametrize("name", ["a.json", "a.xml"])
def test_the_mouth_rests_between_rhubarbs_shapes(tmp_path: Path, name: str) -> None:
    """A gap is no part of the shape before it; where shapes overlap, the next one takes over."""
    times = [(0.0, 1.0, "A"), (3.0, 4.0, "B"), (3.5, 5.0, "D")]
    entries = [{"start": a, "end": b, "value": value} for a, b, value in times]
    rows = "".join(f'<mouthCue start="{a}" end="{b}">{v}</mouthCue>' for a, b, v in times)
    text = json.dumps({"mouthCues": entries}) if name == "a.json" else f"<r>{rows}</r>"
    cues = read_cues(write(tmp_path, name, text))
    assert [(cue.viseme, cue.start, cue.end) for cue in cues] == [
        ("PP", 0.0, 1.0),
        ("SS", 3.0, 3.5),
        ("aa", 3.5, 5.0),
    ]
    weights = articulate(cues, 5.0, 30.0)
    assert weights[60].max() < 0.02  # at rest, not shut as in the A


def test_moho_switches_have_the_frame_rate_that_is_given(tmp_path: Path) -> None:
    path = write(tmp_path, "a.dat", DAT)
    assert shapes(read_cues(path)) == [
        ("sil", 0.0),
        ("PP", 0.5),
        ("aa", 0.625),
        ("DD", 1.0),
        ("sil", 1.25),
    ]
    assert shapes(read_cues(path, 30.0))[1] == ("PP", 0.4)


@pytest.mark.parametrize(("name", "text"), [("a.pgo", PGO), ("a.pg2", PG2)])
def test_papagayo_rests_between_words_that_are_apart(tmp_path: Path, name: str, text: str) -> None:
    cues = read_cues(write(tmp_path, name, text))
    assert [(v, round(24 * t)) for v, t in shapes(cues)] == [
        ("PP", 12),
        ("aa", 14),
        ("PP", 19),
        ("sil", 21),
        ("nn", 24),
        ("U", 28),
        ("sil", 36),
    ]
    assert cues[-1].end == pytest.approx(2.0)


def test_papagayos_other_phones(tmp_path: Path) -> None:
    text = PGO.replace("14 AI", "14 AE1").replace("24 L", "24 N").replace("28 U", "28 AW0")
    visemes = [cue.viseme for cue in read_cues(write(tmp_path, "a.pgo", text))]
    assert visemes == ["PP", "aa", "PP", "sil", "nn", "aa", "U", "sil"]


@pytest.mark.parametrize(
    ("names", "phoneme_set", "visemes"),
    [
        (("M", "AE", "P", "N", "AW"), "CMU_39", ["PP", "aa", "PP", "sil", "nn", "aa", "U", "sil"]),
        (
            ("MBP", "EHSZ", "GK", "NLTDR", "AA"),
            "fleming_dobbs",
            ["PP", "E", "kk", "sil", "nn", "aa", "sil"],
        ),
        (("A", "D", "B", "rest", "E"), "rhubarb", ["PP", "aa", "SS", "sil", "sil", "O", "sil"]),
    ],
)
def test_papagayo_ngs_other_names(
    tmp_path: Path, names: tuple[str, ...], phoneme_set: str, visemes: list[str]
) -> None:
    a, b, c, d, e = names
    words = [(20, [(12, a), (14, b), (19, c)]), (35, [(24, d), (28, e)])]
    path = write(tmp_path, "a.pg2", pg2(words, phoneme_set=phoneme_set))
    assert [cue.viseme for cue in read_cues(path)] == visemes


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "", "no shapes"),
        ("a.tsv", "0.00\tX\n0.5 A B\n", "line 2"),
        ("a.tsv", "0.00\tX\nsoon\tA\n", "line 2: 'soon'"),
        ("a.tsv", "0.00\tX\n0.20\tQ\n", "line 2: unknown mouth shape 'Q'"),
        ("a.tsv", "1.00\tA\n0.20\tB\n", "line 1: the times do not increase"),
        ("a.tsv", "0.00\tA\n1e6\tB\n", "limit"),
        ("a.tsv", "-1.00\tA\n0.5\tB\n", "line 1: a time of -1 s"),
        ("a.json", '{"mouthCues": [{"start": -1, "end": 1, "value": "A"}]}', "a time of -1 s"),
        ("a.json", '{"mouthCues": [{"start": 1, "end": 0.5, "value": "A"}]}', "do not increase"),
        ("a.json", "[]", "mouthCues"),
        ("a.json", '{"mouthCues": [{"start": 0}]}', "mouthCue 1"),
        ("a.json", '{"mouthCues": [{"start": 0, "end": "x", "value": "A"}]}', "'x'"),
        ("a.xml", "<a><mouthCue", "damaged"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ("a.dat", "1 rest\n", "MohoSwitch1"),
        ("a.dat", "MohoSwitch1\n1 rest\n5 GRIN\n", "line 3: unknown mouth shape 'GRIN'"),
        ("a.pgo", "lipsync version 1\na\n24\n", "first line"),
        ("a.pgo", PGO.replace("map 12 20 3", "map"), "line 13"),
        ("a.pgo", PGO.replace("\n24\n", "\n0\n", 1), "0 frames a second"),
        ("a.pgo", PGO.replace("\t1\n", "\t-3\n", 1), "'-3'"),
        ("a.pg2", '{"version": 1}', "'version': 2"),
        ("a.pg2", '{"version": 2, "fps": 24, "sound_duration": 9}', "no list 'voices'"),
        ("a.pg2", pg2(MAP_NOW, fps=0), "0 frames a second"),
        ("a.pg2", pg2(MAP_NOW, sound_duration="x"), "sound_duration: 'x'"),
        ("a.pg2", pg2([]), "no voice has shapes"),
        ("a.pg2", pg2([(9, [(3, "GRIN")])]), "voice 2, phrase 1, word 1, phoneme 1: unknown"),
        ("a.pg2", PG2.replace('"frame": 28', '"frame": "x"'), "word 2, phoneme 2: 'x'"),
        ("a.pg2", PG2.replace('"phonemes"', '"other"'), "word 1: it has no list 'phonemes'"),
        ("a.txt", "hello", "does not end in"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(LikenessError) as caught:
        read_cues(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "Rhubarb" in caught.value.remedy


def test_every_shape_is_a_viseme_of_the_library() -> None:
    table = read_viseme_table()
    used = {v for names in (table.rhubarb, table.papagayo) for row in names.values() for v in row}
    assert used <= set(table.dominances)
    assert set(table.rhubarb) == set("ABCDEFGHX")
    preston_blair = "AI E O U ETC L WQ MBP FV REST".split()
    assert set(preston_blair) <= set(table.papagayo)


def test_a_pg2_file_with_too_many_shapes_ends_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cue_files, "_MAX_CUES", 5)
    words = [(9, [(k, "AI") for k in range(4)])] * 3
    with pytest.raises(LikenessError, match="more than 5 shapes"):
        read_cues(write(tmp_path, "a.pg2", pg2(words)))
