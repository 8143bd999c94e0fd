"""The folder of a training run: whose it is, and the usable network in it.

::

    RUN/config.json          the configuration
    RUN/checkpoints/         what a killed run goes on from
    RUN/network/             the averaged network, for ``likeness build --network RUN/network``
    RUN/references/          lifted photos
    RUN/data.json            its training data (data_provenance.py)
    RUN/.train.lock          held while a run goes on
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.types import LikenessError
from ..files.atomic import atomic_write_files
from ..files.folders import check_output_folder
from ..files.run_folder import RunFolder
from ..network.config import CONFIG_FILE, load_config, save_config
from .checkpoint import checkpoint_folders
from .config import TrainConfig, incompatible_fields

NETWORK_FOLDER, REFERENCES_FOLDER = "network", "references"
LOCK_FILE = ".train.lock"
SHOWN_FIELDS = 6


def run_config(run: Path) -> TrainConfig | None:
    """Read the configuration of a run; None where the folder has none.

    Raises:
        LikenessError: It cannot be read.
    """
    return load_config(TrainConfig, run) if (run / CONFIG_FILE).is_file() else None


def check_run(run: Path, config: TrainConfig) -> TrainConfig | None:
    """Check that a folder belongs to this run, before anything is written.

    Returns:
        The configuration that the run resumes from, which may differ in FREE_FIELDS; None where it
            begins.

    Raises:
        LikenessError: It is a file, or holds a run of another configuration, or something else.
    """
    check_output_folder(run)
    saved = run_config(run)
    if saved is None:
        if run.is_dir() and any(not path.name.startswith(".") for path in run.iterdir()):
            raise LikenessError(
                f"'{run}' holds other files but not a training run.", "Choose a new folder."
            )
        return None
    if not checkpoint_folders(run):
        return None  # begun, but nothing is learned yet: a setting may still be corrected
    if differing := incompatible_fields(saved, config):
        more = len(differing) - SHOWN_FIELDS
        said = "; ".join(differing[:SHOWN_FIELDS]) + (f"; and {more} more" if more > 0 else "")
        raise LikenessError(
            f"'{run}' holds a run of another configuration: {said}.",
            "Resume it with its own configuration, or choose another folder.",
        )
    return saved


@contextmanager
def lock_run(run: Path) -> Iterator[None]:
    """Lock a run's folder against other trainings; see :meth:`.RunFolder.hold`.

    Raises:
        LikenessError: Another training is in progress there.
    """
    taken = f"Another training is in progress in '{run}'."
    with RunFolder(run, CONFIG_FILE, LOCK_FILE).hold(taken):
        yield


def begin_run(run: Path, config: TrainConfig) -> None:
    """Create the folder, with the configuration in it.

    Raises:
        LikenessError: It cannot be written.
    """
    with atomic_write_files(run) as scratch:
        save_config(config, scratch)
