"""The training data of a run: its shards, the people in them and their licences.

Also, whether any of it leaks into the data that evaluates the network.

::

    RUN/data.json            the shards of each session, with the step that it began after
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.types import LikenessError
from ..core.version import VERSION
from ..dataset.cards import CARD_FILE, count_subjects, get_path
from ..dataset.groups import GROUPS, subject_groups
from ..dataset.mix import ASSETS, MIX, used_assets
from ..dataset.stored_subjects import StoredSubject, read_stored_subjects
from ..files.atomic import atomic_write_json
from ..files.untrusted import read_json
from ..network.config import rename_former_keys
from .former_names import DATA_KEYS

DATA_FILE = "data.json"
FREE = re.compile(r"\s*(CC0|public domain)\b", re.I)
"""Licences without conditions."""

HELD_OUT_KINDS = ("skins", "hairs", "outfits", "shoes", "accessories", "lights")
"""Kinds of assets that ``likeness synth --split`` separates by name."""

Facts = Mapping[str, Any]


def record_data(run: Path, step: int, shards: Sequence[str]) -> None:
    """Record the shards that a session of a run reads.

    Args:
        run: The run's folder.
        step: The session begins after it; 0 forgets all sessions before.
        shards: Paths or addresses.

    Raises:
        LikenessError: The folder cannot be written, or its ``data.json`` is damaged.
    """
    sessions = [one for one in load_sessions(run) if one["step"] < step] if step else []
    now = {"step": step, "likeness": VERSION, "shards": [_whole(shard) for shard in shards]}
    if not sessions or {**sessions[-1], "step": step} != now:
        sessions.append(now)
    atomic_write_json(run / DATA_FILE, {"version": 2, "sessions": sessions})


def load_sessions(run: Path) -> list[dict[str, Any]]:
    """Read the sessions of a run.

    Returns:
        As :func:`record_data` wrote them: ``step``, ``likeness``, ``shards``; empty for a run
        without ``data.json``.

    Raises:
        LikenessError: ``data.json`` is damaged.
    """
    path = run / DATA_FILE
    if not path.is_file():
        return []
    try:
        content = rename_former_keys(dict(read_json(path)), DATA_KEYS, str(path))
        return [
            {
                "step": int(one["step"]),
                "likeness": str(one["likeness"]),
                "shards": [str(shard) for shard in one["shards"]],
            }
            for one in content["sessions"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read ({error!r}).",
            "Remove it; the run's card will then not know the sessions before.",
        ) from error


def describe_shards(shards: Iterable[str]) -> dict[str, Any]:
    """Describe who and what is in shards, JSON-able, without this computer's folders.

    Counted in the shards themselves; licences, commands and limits are from the cards beside them.

    Args:
        shards: Paths.

    Returns:
        ``subjects``, ``views``, ``held_out``, ``sources``, ``framings``, ``kinds``; ``groups``:
        kind of group (evaluation's) -> group -> people; ``splits``: split -> people;
        ``seeds``: stream of random numbers -> people; ``names``: kind of asset -> files that were
        drawn; ``assets``: name, sha256 and licence (None: unknown); ``sets``: one for each folder;
        ``unread``: shards that are missing or cannot be read.
    """
    files = [Path(shard) for shard in dict.fromkeys(shards)]
    unread: list[str] = []
    abouts: list[dict[str, Any]] = []
    folders: dict[Path, int] = {}
    for path in files:
        found = [stored.about for stored in _readable(path, unread)]
        if found:
            folders[path.parent] = folders.get(path.parent, 0) + len(found)
        abouts += found
    groups: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}
    for about in abouts:
        for name, group in subject_groups(about["facts"], about["framing"]).items():
            groups[name][group] += 1
    counts = count_subjects(abouts, {"splits": MIX["splits"], "characters": MIX["characters"]})
    counts.pop("alike")
    mix = counts.pop("mix")
    cards = {folder: _card(folder) for folder in folders}
    names = {
        kind: sorted({name for about in abouts for name in _drawn(about["facts"], kind)})
        for kind in HELD_OUT_KINDS
    }
    return {
        **counts,
        "groups": {name: dict(sorted(found.items())) for name, found in groups.items() if found},
        "splits": mix["splits"],
        "characters": sorted(set(mix["characters"]) - {"none"}),
        "seeds": dict(sorted(Counter(map(seed_stream, abouts)).items())),
        "names": {kind: found for kind, found in names.items() if found},
        "assets": _assets(names, cards.values()),
        "sets": [_set(folder, folders[folder], card) for folder, card in cards.items()],
        "unread": unread,
    }


def seed_stream(about: Mapping[str, Any]) -> str:
    """Name the stream of random numbers that a subject is generated from.

    Splits ``all`` and ``train`` share it, so that one seed makes the same people in both.

    >>> seed_stream({"source": "rendered", "seed": 9, "facts": {"split": "train"}})
    'rendered, seed 9'
    >>> seed_stream({"source": "rendered", "seed": 9, "facts": {"split": "test"}})
    'rendered, seed 9 of test'
    """
    test = " of test" if about["facts"].get("split") == "test" else ""
    return f"{about['source']}, seed {about['seed']}{test}"


def find_leaks(training: Mapping[str, Any], test: Mapping[str, Any]) -> list[str]:
    """Find training data in the test data.

    That is people, and assets and lights of the kinds that splits separate.

    Args:
        training: As :func:`describe_shards` returns it.
        test: The same.

    Returns:
        One sentence for each leak.
    """
    out = []
    if count := training["splits"].get("test", 0):
        out.append(f"{count} people of the training data are of the split 'test'.")
    if unknown := [shard for data in (training, test) for shard in data["unread"]]:
        out.append(f"Leaks cannot be ruled out, since shards are unreadable: {', '.join(unknown)}.")
    rendered = {split: n for split, n in test["splits"].items() if split != "test"}
    if rendered and training["subjects"]:
        said = ", ".join(f"{n} of '{split}'" for split, n in sorted(rendered.items()))
        out.append(f"Test data is not of the split 'test': {said}.")
    if same := sorted(set(training["seeds"]) & set(test["seeds"])):
        out.append(
            f"The same people may be in both: generated from the same seed ({'; '.join(same)})."
        )
    for kind in HELD_OUT_KINDS:
        both = set(training["names"].get(kind, ())) & set(test["names"].get(kind, ()))
        if both:
            out.append(f"The same {kind} are in both: {', '.join(sorted(both))}.")
    return out + _same_under_another_name(training, test)


def list_restrictions(data: Mapping[str, Any]) -> list[str]:
    """List why weights trained on this data cannot be called free for any use.

    Args:
        data: As :func:`describe_shards` returns it.

    Returns:
        One reason a line; empty if every asset is CC0 or in the public domain, and nothing is
        unknown.
    """
    out = [
        f"{asset['name']}: {asset['licence'] or 'unknown licence'}"
        for asset in data["assets"]
        if not (asset["licence"] and FREE.match(asset["licence"]))
    ]
    others = {source: n for source, n in data["sources"].items() if source != "rendered"}
    out += [f"{n} people are {source}, by models of other licences" for source, n in others.items()]
    out += [f"the character {name}: unknown licence" for name in data["characters"]]
    out += [f"{shard} could not be read" for shard in data["unread"]]
    if not data["subjects"]:
        out.append("its training data is unknown")
    return out


def _whole(shard: str) -> str:
    """A shard's absolute path; addresses are left as they are."""
    return str(Path(shard).resolve()) if Path(shard).exists() else shard


def _readable(path: Path, unread: list[str]) -> Iterator[StoredSubject]:
    try:
        yield from read_stored_subjects(path)
    except (LikenessError, ValueError, KeyError):
        unread.append(path.name)


def _drawn(facts: Facts, kind: str) -> list[str]:
    """Names of the asset files of a kind that a person wears or is lit by."""
    if kind == "hairs":
        look = get_path(facts, "looks.hair") or {}
        return [f"{look['style']}.mhclo"] if look.get("kind") == "library" else []
    if kind == "accessories":
        return [name for name in used_assets(get_path(facts, "looks.accessories"), "") if name]
    value = MIX[kind]
    assert callable(value)
    return [name for name in value(facts) if name.lower().endswith(ASSETS)]


def _card(folder: Path) -> dict[str, Any]:
    """The card of a set; empty where it is missing or cannot be read."""
    try:
        card = read_json(folder / CARD_FILE)
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _assets(
    names: Mapping[str, Sequence[str]], cards: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Name, sha256 and licence of all assets that cards list or that were drawn."""
    found: dict[str, dict[str, Any]] = {}
    for card in cards:
        for asset in card.get("assets", ()):
            if isinstance(asset, Mapping) and asset.get("name"):
                kept = {key: asset.get(key) for key in ("name", "sha256", "licence")}
                found.setdefault(f"{kept['name']} {kept['sha256']}", kept)
    listed = {asset["name"] for asset in found.values()}
    for name in sorted({name for kind in names.values() for name in kind} - listed):
        found[name] = {"name": name, "sha256": None, "licence": None}
    return sorted(found.values(), key=lambda asset: str(asset["name"]))


def _set(folder: Path, people: int, card: Mapping[str, Any]) -> dict[str, Any]:
    """A folder of data as a network's card describes it."""
    made = card.get("made_by")
    made = made if isinstance(made, Mapping) else {}
    command = str(made.get("command", ""))
    return {
        "name": folder.name,
        "people": people,
        "title": card.get("title"),
        "program": made.get("program"),
        "seed": made.get("seed"),
        "command": re.sub(r"\S*/(?=[^\s/])", "", command) or None,
        "limits": [str(limit) for limit in card.get("limits", ())],
    }


def _same_under_another_name(training: Facts, test: Facts) -> list[str]:
    """Files of the separated kinds that are identical byte for byte."""
    of_test = {name for names in test["names"].values() for name in names}
    of_training = {name for names in training["names"].values() for name in names}
    known = {
        asset["sha256"]: asset["name"]
        for asset in training["assets"]
        if asset["sha256"] and asset["name"] in of_training
    }
    return [
        f"{asset['name']} of the test data is {known[asset['sha256']]} of the training data."
        for asset in test["assets"]
        if asset["name"] in of_test
        and asset["sha256"] in known
        and asset["name"] != known[asset["sha256"]]
    ]
