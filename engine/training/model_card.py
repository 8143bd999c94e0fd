"""The card of a trained network, beside it: ``card.json`` for programs, ``card.md`` for readers.

A training run writes both at its end: the network, its training and its data. ``likeness eval
--card`` adds figures, and whether any training data is in the data that gave them. Nothing is
estimated: what is not known is called unknown. Torch is not needed.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..core.types import LikenessError
from ..core.version import VERSION as LIKENESS
from ..files.atomic import atomic_write_files
from ..files.digests import file_sha256
from ..files.untrusted import read_json
from ..network.config import CONFIG_FILE, rename_former_keys
from .data_provenance import describe_shards, find_leaks, list_restrictions, load_sessions
from .former_names import SETTINGS
from .model_card_text import format_card

CARD_FILE, TEXT_FILE = "card.json", "card.md"
VERSION = 1
FREE_LICENCE = "CC0-1.0"

FROM_LIFT = "It corrects the lift of a fitted body. Where the fit is wrong, so is its result."
FROM_BODY = "It covers a fitted body. Where the fit is wrong, so is its result."
OF_ONE = "It is the avatar of one person, in the looks that it learned and between these."
LIMITS = (
    "It was trained on synthetic people: real photos differ in light, lens, skin, hair and cloth.",
    FROM_LIFT,
    "What the photo does not show is invented, and may be nothing like the person.",
    "It has seen no children, and no limbs or builds outside the body model's range.",
    "Its splats carry the photo's light: it does not separate light from colour.",
)


def write_model_card(
    network: Path, report: Path | None = None, test_shards: Sequence[str] = ()
) -> dict[str, Any]:
    """Write both cards of a network.

    Args:
        network: Its folder, in a run's folder or with a card already.
        report: Folder of a report of ``likeness eval`` on it; None leaves the figures out.
        test_shards: Shards that the report measured with.

    Returns:
        The card; its ``leaks`` are not empty where the figures cannot be trusted.

    Raises:
        LikenessError: The network is missing, its training is unknown, the report is of another
            network, or a file is damaged.
    """
    begun = _begun(network)
    card = {
        "version": VERSION,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "network": _network(network),
        "training": begun["training"],
        "data": begun["data"],
        "licence": _licence(begun["data"], _read(network / CONFIG_FILE)),
        "evaluation": None,
        "leaks": None,
        "limits": [*_limits(_read(network / CONFIG_FILE)), *_of_the_data(begun["data"])],
    }
    if report is not None:
        card["evaluation"] = report_metrics(network, report)
        if test_shards:
            test = describe_shards(test_shards)
            card["leaks"] = find_leaks(begun["data"], test)
            card["evaluation"]["people"] = _who(test)
    with atomic_write_files(network) as scratch:
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False)
        (scratch / CARD_FILE).write_text(text + "\n", encoding="utf-8")
        (scratch / TEXT_FILE).write_text(format_card(card), encoding="utf-8")
    return card


def check_provenance(network: Path) -> None:
    """Check that a network can get a card, before it is measured for hours.

    Raises:
        LikenessError: Its training is unknown, or a package is missing.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise LikenessError(
            "Cards need the package 'huggingface-hub', which is not installed.",
            "Run: pip install huggingface-hub",
        )
    run = network.parent
    if (
        not (load_sessions(run) and (run / CONFIG_FILE).is_file())
        and not (network / CARD_FILE).is_file()
    ):
        raise LikenessError(
            f"The training data of '{network}' is unknown: it has no {CARD_FILE}, and is not in "
            "the folder of a training run that lists its data.",
            "Give RUN/network of a run of this version.",
        )


def report_metrics(network: Path, report: Path) -> dict[str, Any]:
    """Extract a network's figures from a report: means, by kind of view and by group.

    Args:
        network: Its folder.
        report: The report's folder.

    Raises:
        LikenessError: It is not a report, or one of another network.
    """
    path = report / "report.json"
    whole = _read(path)
    settings, protocols = whole.get("settings"), whole.get("protocols")
    if not isinstance(settings, Mapping) or not isinstance(protocols, Mapping):
        raise LikenessError(
            f"'{path}' is not a report.", "Give the folder that 'likeness eval -o' wrote."
        )
    files = settings.get("network_files") or {}
    other = [
        name
        for name, digest in files.items()
        if not (network / name).is_file() or file_sha256(network / name) != digest
    ]
    if other or not files:
        raise LikenessError(
            f"'{path}' is not of the network '{network}'"
            + (f": {', '.join(other)} differ." if other else "."),
            "Measure this network: likeness eval --network DIR.",
        )
    wanted = ("items", "people", "mean", "kinds", "groups", "worst")
    asked = ("protocols", "refine", "max_gaussians", "limit", "views", "tracked", "lpips_backbone")
    return {
        "made": whole.get("made"),
        "likeness": whole.get("likeness"),
        "data": [Path(str(part)).name for part in settings.get("data") or ()],
        "settings": {name: settings.get(name) for name in asked},
        "failed": len(whole.get("failed") or ()),
        "protocols": {
            name: {what: part.get(what) for what in wanted}
            for name, part in protocols.items()
            if isinstance(part, Mapping)
        },
    }


def _begun(network: Path) -> dict[str, Any]:
    """A network's training and data: from its run, or else from its present card."""
    check_provenance(network)
    run = network.parent
    if load_sessions(run):
        return _of_the_run(run)
    card = _read(network / CARD_FILE)
    if card.get("version") != VERSION or not {"training", "data"} <= set(card):
        raise LikenessError(
            f"'{network / CARD_FILE}' is of another version.", "Use the card as Likeness wrote it."
        )
    training = card["training"]
    settings = rename_former_keys(training["settings"], SETTINGS, str(network / CARD_FILE))
    return {**card, "training": {**training, "settings": settings}}


def _of_the_run(run: Path) -> dict[str, Any]:
    path = run / CONFIG_FILE
    config = rename_former_keys(_read(path), SETTINGS, str(path))
    state = _newest_state(run)
    steps, batch = int(state.get("step", 0)), int(config.get("batch", 1))
    sessions = load_sessions(run)
    settings = {name: value for name, value in config.items() if name != "network"}
    settings["perceptual_source"] = Path(str(settings.get("perceptual_source") or "")).name
    shards = [shard for one in sessions if one["step"] < max(steps, 1) for shard in one["shards"]]
    data = describe_shards(shards)
    if sessions[0]["step"] > 0:
        data["unread"].append(f"data before step {sessions[0]['step']}")
    return {
        "training": {
            "steps": steps,
            "samples": steps * batch,
            "hours": _hours(run, batch),
            "seed": config.get("seed"),
            "losses": config.get("losses"),
            "pictures_compared_by": (state.get("notes") or {}).get("perceptual") or None,
            "likeness": sorted({one["likeness"] for one in sessions} | {LIKENESS}),
            "versions": state.get("versions") or {},
            "settings": settings,
        },
        "data": data,
    }


def _newest_state(run: Path) -> dict[str, Any]:
    """``state.json`` of the newest checkpoint; empty without any."""
    found = sorted((run / "checkpoints").glob("step_*/state.json"), key=lambda p: p.parent.name)
    return max((_read(path) for path in found), key=lambda s: int(s.get("step", 0)), default={})


def _hours(run: Path, batch: int) -> float | None:
    """Hours of all sessions, from the logged rates; None without any."""
    seconds, before = 0.0, 0
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        try:
            figures = json.loads(line)
            rate, step = figures.get("samples_per_s"), int(figures["step"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # the last line of a run that was killed
        if rate:
            seconds += (step - before) * batch / rate
            before = step
    return round(seconds / 3600, 4) if before else None


def _limits(config: dict[str, Any]) -> list[str]:
    """The limits of a network with this configuration."""
    decoder = config["decoder"]
    start = FROM_LIFT if decoder.get("residual", False) else FROM_BODY
    start = OF_ONE if decoder.get("form") == "perse" else start
    return [start if text == FROM_LIFT else text for text in LIMITS]


def _network(folder: Path) -> dict[str, Any]:
    """Configuration, size and hashes."""
    config = _read(folder / CONFIG_FILE)
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.name not in (CARD_FILE, TEXT_FILE)
    )
    counts = {path.stem: _numbers(path) for path in files if path.suffix == ".safetensors"}
    return {
        "name": config.get("name"),
        "config": config,
        "parameters": counts,
        "files": {p.name: {"bytes": p.stat().st_size, "sha256": file_sha256(p)} for p in files},
    }


def _numbers(path: Path) -> int:
    """Number of parameters in a file of weights."""
    try:
        with safe_open(path, "numpy") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error}.", "Use the file as it was saved."
        ) from error


def _licence(data: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Free for any use only if neither the data nor the encoder demands more."""
    why = list_restrictions(data)
    encoder = config.get("encoder") or {}
    if encoder.get("kind") != "own":
        why.append(f"the encoder is {encoder.get('kind')}, with its own licence")
    return {"free_for_any_use": not why, "licence": FREE_LICENCE if not why else None, "why": why}


def _of_the_data(data: Mapping[str, Any]) -> list[str]:
    """Limits of the sets, without repeats, and groups that are rare in them."""
    out = list(dict.fromkeys(limit for one in data["sets"] for limit in one["limits"]))
    for kind, found in data["groups"].items():
        share = {group: count / data["subjects"] for group, count in found.items()}
        rare = min(share, key=lambda group: share[group])
        if len(share) > 1 and share[rare] < 0.5 / len(share):
            out.append(
                f"Few people in the training data by {kind}: {rare}, {found[rare]} in total."
            )
    return out


def _who(test: Mapping[str, Any]) -> dict[str, Any]:
    return {name: test[name] for name in ("subjects", "views", "splits", "groups", "seeds")}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path, nan=True)
    except (OSError, ValueError) as error:
        raise LikenessError(
            f"'{path}' cannot be read: {error}.", "Use the file as Likeness wrote it."
        ) from error
    if not isinstance(found, dict):
        raise LikenessError(
            f"'{path}' does not hold a JSON object.", "Use the file as Likeness wrote it."
        )
    return found
