"""From a subject and one of its views to what the network is given: composited, looked at by the
detectors, lifted. Seconds of work, so it is kept on disk."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..body import Body
from ..evaluation.people.render import random_background
from ..formats.atomic import whole_file, why
from ..gaussians.lift import LiftOptions, lift
from ..network.config import NetworkConfig
from ..network.grids import UVGrids, uv_grids
from ..network.inputs import NetworkInputs, blank_gaussians, network_inputs
from ..tracking.detectors import Detectors
from ..tracking.observation import observe
from ..types import (
    NUM_JOINTS,
    BoundGaussians,
    FloatArray,
    LikenessError,
    Matte,
    Portrait,
    Track,
)
from ..weights import asset_path
from .input_files import VERSION as FILE_VERSION
from .input_files import BadFile, load_inputs, save_inputs
from .spaces import moved_camera, moved_pose, to_photo
from .subjects import BadSample, Subject

VERSION = 1
"""Raise it when the inputs change for another reason than those of ``_CODE``."""

_CODE = ("gaussians/lift", "dual_uv", "network/inputs.py", "network/grids.py")
"""Kept files are made anew when any of this code is another: a network that learns to mend one
lift must not be shown what another one made."""

_PIXELS_PER_GAUSSIAN = 0.5  # of the grid on which a small lift finds labels and depths
_FEWEST_PIXELS = 10_000


class Refused(Exception):
    """Why a view cannot be a reference: nobody is found in it, or the lift cannot use it."""


@dataclass(frozen=True)
class Made:
    """Inputs, and a word about a kept file that had to be made anew (or None)."""

    inputs: NetworkInputs
    note: str | None = None


class References:
    """Makes the network's inputs of subjects' views.

    Args:
        body: the default body that the shards' betas are of.
        config: of the network. cache: a folder to keep the results in, or None. Several
            processes may share it.
    """

    def __init__(self, body: Body, config: NetworkConfig, cache: Path | None) -> None:
        self.body, self.config, self.cache = body, config, cache
        self.residual = config.decoder.residual

    @cached_property
    def _grids(self) -> UVGrids:
        return uv_grids(self.body, self.config.decoder)

    @cached_property
    def _detectors(self) -> Detectors:
        return Detectors(asset_path("pose_landmark").parent)

    @cached_property
    def _blank(self) -> BoundGaussians | None:
        return None if self.residual else blank_gaussians(self.body, self.config.decoder)

    @cached_property
    def _made_for(self) -> str:
        """All that the inputs depend on besides the subject and the view."""
        decoder = self.config.decoder
        what = {
            "version": VERSION, "code": _code(), "file": FILE_VERSION,
            "image_size": self.config.encoder.image_size,
            "core_grid": decoder.core_grid, "shell_grid": decoder.shell_grid,
            "samples_per_side": decoder.samples_per_side, "map_size": decoder.map_size,
            "shell_offset": decoder.shell_offset,
            "lift": asdict(LiftOptions()) if self.residual else None,
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        for name in ("v_template", "f", "atlas_vt", "atlas_ft", "shapedirs", "weights"):
            digest.update(np.ascontiguousarray(getattr(self.body, name)).tobytes())
        return digest.hexdigest()

    def budget(self, subject: Subject, view: int) -> int:
        """How many Gaussians the lift of one view may make: drawn from the network's range, as
        many twice as large as half, always the same for the same view."""
        fewest, most = self.config.budgets
        name = zlib.crc32(f"{subject.key}/{subject.views[view].name}/budget".encode())
        rng = np.random.default_rng([subject.seed & 0xFFFFFFFF, name])
        return round(float(np.exp(rng.uniform(np.log(fewest), np.log(most)))))

    def lift_options(self, subject: Subject, view: int) -> LiftOptions:
        """Of one view. A small budget gets a coarser grid for labels and depths as well."""
        budget = self.budget(subject, view)
        pixels = max(_FEWEST_PIXELS, round(_PIXELS_PER_GAUSSIAN * budget))
        return LiftOptions(
            max_gaussians=budget, region_pixels=min(LiftOptions().region_pixels, pixels)
        )

    def _path(self, subject: Subject, view: int) -> Path | None:
        if self.cache is None:
            return None
        whole = f"{self._made_for}/{subject.identity}/{subject.views[view].name}"
        if self.residual:
            whole += f"/{self.budget(subject, view)}"
        name = hashlib.sha256(whole.encode()).hexdigest()[:24]
        return self.cache / name[:2] / f"{name}.safetensors"

    def usable(self, subject: Subject, view: int) -> bool:
        """Whether :meth:`inputs` gives something; quick for what has been made before."""
        path = self._path(subject, view)
        if path is not None:
            if path.is_file():
                return True
            if path.with_suffix(".refused").is_file():
                return False
        try:
            self.inputs(subject, view)
        except Refused:
            return False
        return True

    def inputs(self, subject: Subject, view: int) -> Made:
        """What the network is given of one view.

        Raises:
            Refused: it cannot be a reference.
        """
        path, note = self._path(subject, view), None
        if path is not None:
            refused = path.with_suffix(".refused")
            if refused.is_file():
                raise Refused(refused.read_text(encoding="utf-8"))
            if path.is_file():
                try:
                    return Made(load_inputs(path, self._grids.places, self._blank))
                except BadFile as error:
                    note = f"the kept file '{path}' was damaged and is made anew ({error})"
        try:
            made = self._make(subject, view)
        except Refused as reason:
            if path is not None:
                with _shared_file(refused) as scratch:
                    scratch.write_text(str(reason), encoding="utf-8")
            raise
        if path is None:
            return Made(made)
        with _shared_file(path) as scratch:
            save_inputs(made, scratch, self.residual)
        # What was just made is read back, so that a run does not depend on what was kept before.
        return Made(load_inputs(path, self._grids.places, self._blank), note)

    def _make(self, subject: Subject, view: int) -> NetworkInputs:
        """The same for the same subject and view, whatever was made before."""
        shown = subject.views[view]
        try:
            rgba, photo = shown.rgba(), None
            if self.residual:
                photo = _photo(subject, view, rgba)
        except BadSample as error:
            raise Refused(str(error)) from error
        own = self.body.personalised(subject.betas)
        motion = to_photo(shown.camera)
        pose = moved_pose(subject.pose(view), own, motion)
        camera = moved_camera(shown.camera, motion)
        matte = Matte(np.ascontiguousarray(rgba[..., 3]), np.ascontiguousarray(rgba[..., :3]))
        track = Track(
            subject.betas, pose, camera, subject.framing, np.ones(NUM_JOINTS), 0.0, 0.0,
            view=shown.kind,
        )  # fmt: skip
        detectors = None if photo is None else self._detectors
        try:
            lifted = None
            if photo is not None and detectors is not None:
                observation = observe(photo, detectors)
                options = self.lift_options(subject, view)
                lifted = lift(matte, observation, track, own, options, find_skirt=False).gaussians
            return network_inputs(self.config, self._grids, [(matte, track)], own, lifted)
        except LikenessError as error:
            raise Refused(error.message) from error


def _photo(subject: Subject, view: int, rgba: FloatArray) -> Portrait:
    """The view before its background, or one that is drawn for it, always the same."""
    shown = subject.views[view]
    behind = shown.behind()
    if behind is None:
        seed = zlib.crc32(f"{subject.key}/{shown.name}".encode())
        rng = np.random.default_rng([subject.seed & 0xFFFFFFFF, seed])
        behind = random_background(shown.camera.height, shown.camera.width, rng)
    alpha = rgba[..., 3:]
    rgb = np.clip(rgba[..., :3] * alpha + behind * (1.0 - alpha), 0.0, 1.0).astype(np.float32)
    size = (shown.camera.width, shown.camera.height)
    return Portrait(rgb, None, Path(f"{subject.key}.{shown.name}"), original_size=size)


def _code() -> str:
    """A hash of the code that decides what inputs are."""
    engine = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in _CODE:
        path = engine / part
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _shared_file(path: Path) -> Iterator[Path]:
    """``whole_file`` in a folder that is made first, for several processes at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LikenessError(
            f"The folder '{path.parent}' cannot be made: {why(error)}.",
            "Choose another folder for what is kept, or make room.",
        ) from error
    with whole_file(path, shared=True) as scratch:
        yield scratch
