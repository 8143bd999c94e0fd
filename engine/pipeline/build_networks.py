"""The networks of a build: each is opened, or left out with a warning of what stands in for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..files.weights import DEFAULT_NETWORK, NO_NETWORK, asset_path, find_network, find_weights
from ..gaussians.lift.garments.labels_network import LabelNetworkRuntime, load_label_network
from ..gaussians.lift.pixels.labels_parser import ParserRuntime, load_parser
from ..network.apply import resolve_network
from ..network.runtime import BodyMismatchError, NetworkRuntime
from .options import BuildOptions
from .track import load_fitting_body

BY_DRESS = "Rules of dress say what covers the body where the photo does not show it."
BY_COLOUR = "Rules of place and colour alone say what the photo shows."


_Network = TypeVar("_Network", LabelNetworkRuntime, ParserRuntime)


def check_build_files(options: BuildOptions, body_path: Path | None) -> None:
    """Raise before the work if the body is missing or a chosen network cannot be used.

    Opening a network takes about as long as everything else before the first stage. The one that
    comes with Likeness only has to be there; the lift opens it.

    Args:
        options: of the build.
        body_path: of the body, or None for the default one.

    Raises:
        LikenessError: a file is missing, or the network cannot be used.
    """
    choice = options.network
    if body_path is None:
        asset_path("body")
    if options.polish != "off":
        find_weights("polish")
    if choice == DEFAULT_NETWORK:
        find_network(choice)
    else:
        resolve_network(choice, lambda: load_fitting_body(body_path))


def open_completion_network(
    choice: str, body_path: Path | None, warnings: list[str]
) -> NetworkRuntime | None:
    """Open the network that improves the lift.

    The one that comes with Likeness fits only its own body: for another body it is left out, with
    a warning.

    Args:
        choice: as in :class:`.options.BuildOptions`.
        body_path: of the body, or None for the default one.
        warnings: gets a line if it is left out.

    Raises:
        LikenessError: the chosen network cannot be used.
    """
    try:
        return resolve_network(choice, lambda: load_fitting_body(body_path))
    except BodyMismatchError as error:
        if choice != DEFAULT_NETWORK:
            raise
        warnings.append(
            f"What the photo does not show is not corrected by a network. {error.message}"
        )
        return None


def open_label_network(
    choice: str, body_path: Path | None, warnings: list[str]
) -> LabelNetworkRuntime | None:
    """Open the network that labels what the photo does not show; None: the rules of dress do.

    Args:
        choice: as in :class:`.options.BuildOptions`.
        body_path: of the body, or None for the default one.
        warnings: gets a line if it is left out.
    """
    name = "label network"
    return _open_fitting(load_label_network, name, BY_DRESS, choice, body_path, warnings)


def open_parser(choice: str, body_path: Path | None, warnings: list[str]) -> ParserRuntime | None:
    """Open the network that checks the rules' labels of what is shown; None: they alone do.

    Args:
        choice: as in :class:`.options.BuildOptions`.
        body_path: of the body, or None for the default one.
        warnings: gets a line if it is left out.
    """
    return _open_fitting(load_parser, "parser", BY_COLOUR, choice, body_path, warnings)


def _open_fitting(
    load: Callable[[], _Network | None],
    name: str,
    instead: str,
    choice: str,
    body_path: Path | None,
    warnings: list[str],
) -> _Network | None:
    """The network if it is wanted, there, and fits the body; else None, and a warning if wanted."""
    if choice == NO_NETWORK:
        return None
    network = load()
    if network is None:
        warnings.append(f"This copy of Likeness has no {name}. {instead}")
    elif not network.fits(load_fitting_body(body_path)):
        warnings.append(f"The {name} was trained on another body. {instead}")
        return None
    return network
