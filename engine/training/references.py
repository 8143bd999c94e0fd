"""From a subject and one of its views to what the network is given: made a photo of
(:mod:`.photographs`), and lifted. Seconds of work, so it is kept on disk."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..body import Body
from ..core.types import BoundGaussians, FloatArray, LikenessError
from ..dataset.pairs import can_supervise
from ..dataset.subjects import InvalidSampleError, Subject
from ..files.atomic import atomic_write
from ..gaussians.lift import LiftOptions, lift_photo
from ..network.config import NetworkConfig
from ..network.inputs import NetworkInputs, blank_gaussians, network_inputs
from ..network.uv_grids import UVGrids, uv_grids
from .augment import CLEAN, Augmentation
from .cache import code_digest
from .input_files import VERSION as FILE_VERSION
from .input_files import CorruptFileError, load_fit, load_inputs, save_inputs
from .photographs import InvalidReferenceError, Photograph, Photographs, ReferenceFit
from .seen_colors import MARGIN, SIZE, seen_colors
from .target_views import TargetViews

__all__ = ["InvalidReferenceError", "PreparedReference", "References"]

VERSION = 2
"""Raise it when the inputs change for another reason than those of ``_CODE``."""

_CODE = ("gaussians/lift", "dual_uv", "network/inputs.py", "network/uv_grids.py")
"""Kept files are made anew when any of this code is another: a network that learns to mend one
lift must not be shown what another one made."""

_SEEN = f"seen-{code_digest(('training/seen_colors.py', 'training/target_views.py'))[:12]}"
_PIXELS_PER_GAUSSIAN = 0.5  # of the grid on which a small lift finds labels and depths
_MIN_PIXELS = 10_000


@dataclass(frozen=True)
class PreparedReference:
    """What a photo was made into.

    Attributes:
        inputs: of the network. fit: the body that they were made with.
        seen: [N, 4] what other views show where the photo shows nothing (:mod:`.seen_colors`);
            None where nobody asked.
        note: a word about a kept file that had to be made anew, or None.
    """

    inputs: NetworkInputs
    fit: ReferenceFit
    seen: FloatArray | None = None
    note: str | None = None


class References:
    """Makes the network's inputs of subjects' views.

    Args:
        body: the default body that the shards' betas are of.
        config: of the network. cache: a folder to keep the results in, or None. Several
            processes may share it.
        augmentation: how the photos differ from renderings with a known body.
        seen: whether to look up what other views show (``Made.seen``).
    """

    def __init__(
        self,
        body: Body,
        config: NetworkConfig,
        cache: Path | None,
        augmentation: Augmentation = CLEAN,
        seen: bool = False,
    ) -> None:
        self.body, self.config, self.cache, self.seen = body, config, cache, seen
        self.residual = config.decoder.residual
        self.photographs = Photographs(body, augmentation, self.residual, cache)

    @cached_property
    def _grids(self) -> UVGrids:
        return uv_grids(self.body, self.config.decoder)

    @cached_property
    def _blank(self) -> BoundGaussians | None:
        return None if self.residual else blank_gaussians(self.body, self.config.decoder)

    @cached_property
    def _made_for(self) -> str:
        """All that the inputs depend on besides the photo."""
        decoder = self.config.decoder
        what = {
            "version": VERSION,
            "code": code_digest(_CODE),
            "file": FILE_VERSION,
            "image_size": self.config.encoder.image_size,
            "core_grid": decoder.core_grid,
            "shell_grid": decoder.shell_grid,
            "samples_per_side": decoder.samples_per_side,
            "map_size": decoder.map_size,
            "shell_offset": decoder.shell_offset,
            "lift": asdict(LiftOptions()) if self.residual else None,
        }
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
        pixels = max(_MIN_PIXELS, round(_PIXELS_PER_GAUSSIAN * budget))
        return LiftOptions(
            max_gaussians=budget, region_pixels=min(LiftOptions().region_pixels, pixels)
        )

    def _path(self, subject: Subject, view: int) -> Path | None:
        if self.cache is None:
            return None
        whole = f"{self._made_for}/{self.photographs.name(subject, view)}"
        if self.residual:
            whole += f"/{self.budget(subject, view)}"
        name = hashlib.sha256(whole.encode()).hexdigest()[:24]
        return self.cache / name[:2] / f"{name}.safetensors"

    def refusal(self, subject: Subject, view: int) -> str | None:
        """Why :meth:`inputs` gives nothing, or None where it does; quick for what has been made
        before."""
        path = self._path(subject, view)
        if path is not None and path.is_file() and not (self.seen and _missing(path)):
            return None
        try:
            self.inputs(subject, view)
        except InvalidReferenceError as reason:
            return str(reason)
        return None

    def inputs(self, subject: Subject, view: int) -> PreparedReference:
        """What the network is given of one view.

        Raises:
            Refused: it cannot be a reference.
        """
        made = self._inputs(subject, view)
        if not self.seen:
            return made
        path = self._path(subject, view)
        return self._with_seen(subject, view, made, path and _beside(path))

    def _with_seen(
        self, subject: Subject, view: int, made: PreparedReference, path: Path | None
    ) -> PreparedReference:
        seen, note = None, made.note
        if path is not None and path.is_file():
            seen = _kept_colors(path, len(made.inputs.base))
            if seen is None:
                note = note or f"the kept file '{path}' was damaged and is made anew"
        if seen is None:
            seen = np.round(255.0 * self._looked_up(subject, view, made)).astype(np.uint8)
            if path is not None:
                with atomic_write(path, shared=True, make_parent=True) as scratch:
                    save_file({"seen": seen}, scratch)
        return replace(made, seen=np.asarray(seen / np.float32(255.0), np.float32), note=note)

    def _looked_up(self, subject: Subject, reference: int, made: PreparedReference) -> FloatArray:
        """Of a body that is not the true one, what lies where is not known well enough."""
        if not made.fit.true:
            return np.zeros((len(made.inputs.base), 4), np.float32)
        truth = TargetViews(self.body, subject, reference, made.fit)
        kind = subject.views[reference].kind
        rows = [
            row
            for row, view in enumerate(subject.views)
            if row != reference and not view.held_out and can_supervise(kind, view.kind)
        ]
        try:
            shown, *others = [truth.view(row, SIZE, MARGIN) for row in (reference, *rows)]
        except InvalidSampleError as error:
            raise InvalidReferenceError(str(error)) from error
        return seen_colors(made.inputs.base, truth.own, shown, others)

    def _inputs(self, subject: Subject, view: int) -> PreparedReference:
        path, note = self._path(subject, view), None
        if path is not None:
            refused = path.with_suffix(".refused")
            if refused.is_file():
                raise InvalidReferenceError(refused.read_text(encoding="utf-8"))
            if path.is_file():
                try:
                    return self._read(path)
                except CorruptFileError as error:
                    note = f"the kept file '{path}' was damaged and is made anew ({error})"
        try:
            photo = self.photographs.of(subject, view)
            made = self._lifted(photo, self.lift_options(subject, view))
        except InvalidReferenceError as reason:
            if path is not None:
                with atomic_write(refused, shared=True, make_parent=True) as scratch:
                    scratch.write_text(str(reason), encoding="utf-8")
            raise
        if path is None:
            return PreparedReference(made, photo.fit)
        with atomic_write(path, shared=True, make_parent=True) as scratch:
            save_inputs(made, scratch, self.residual, photo.fit)
        # What was just made is read back, so that a run does not depend on what was kept before.
        return self._read(path, note or photo.note)

    def _read(self, path: Path, note: str | None = None) -> PreparedReference:
        inputs = load_inputs(path, self._grids.places, self._blank)
        return PreparedReference(inputs, load_fit(path), note=note)

    def _lifted(self, photo: Photograph, options: LiftOptions) -> NetworkInputs:
        """The same for the same photo, whatever was made before."""
        own = self.body.personalised(photo.track.betas)
        try:
            lifted = None
            if photo.observation is not None and self.residual:
                # A skirt would be a mesh of its own, which a batch's bodies do not have.
                lifted = lift_photo(
                    photo.matte, photo.observation, photo.track, own, options, find_skirt=False
                ).gaussians
            shots = [(photo.matte, photo.track)]
            return network_inputs(self.config, self._grids, shots, own, lifted)
        except LikenessError as error:
            raise InvalidReferenceError(error.message) from error


def _beside(path: Path) -> Path:
    """Where the colours of kept inputs lie."""
    return path.with_name(f"{path.stem}.{_SEEN}.safetensors")


def _kept_colors(path: Path, count: int) -> np.ndarray[Any, Any] | None:
    """[count, 4] uint8 of a file; None where it is damaged."""
    try:
        kept = load_file(path)["seen"]
    except (OSError, SafetensorError, KeyError):
        return None
    return kept if kept.shape == (count, 4) and kept.dtype == np.uint8 else None


def _missing(path: Path) -> bool:
    return not _beside(path).is_file()
