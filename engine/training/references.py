"""From a subject's view to the network's inputs: a photo of it (:mod:`.photographs`), lifted.

That takes seconds, so the inputs are cached on disk.
"""

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
from ..files.digests import code_sha256
from ..gaussians.lift.lift_photo import LiftOptions, lift_photo
from ..gaussians.lift.shape.ear_places import FITTED
from ..network.config import NetworkConfig, PerseConfig
from ..network.inputs import FamilyEdit, NetworkInputs, network_inputs
from ..network.starting_gaussians import starting_gaussians
from ..network.uv_grids import UVGrids, uv_grids
from .augment import CLEAN, Augmentation
from .input_files import VERSION as FILE_VERSION
from .input_files import CorruptFileError, load_fit, load_inputs, save_inputs
from .photograph_files import Photograph, ReferenceFit
from .photographs import InvalidReferenceError, Photographs
from .seen_colors import MARGIN, SIZE, seen_colors
from .target_views import TargetViews

__all__ = ["InvalidReferenceError", "PreparedReference", "References"]

VERSION = 2
"""Increase it when the inputs change for a reason outside ``_CODE``."""

_CODE = (
    "gaussians/lift",
    "core/cameras.py",
    "imaging/resize.py",
    "dual_uv",
    "network/inputs.py",
    "network/uv_grids.py",
)
"""Cached files become invalid when any of this code changes: a network that learns to correct one
lift must not see another's results."""

_SEEN = f"seen-{code_sha256(('training/seen_colors.py', 'training/target_views.py'))[:12]}"
_PIXELS_PER_GAUSSIAN = 0.5  # of the grid on which a small lift finds labels and depths
_MIN_PIXELS = 10_000


@dataclass(frozen=True)
class PreparedReference:
    """The network's inputs from a photo.

    Attributes:
        inputs: Of the network.
        fit: The body that they were computed with.
        seen: [N, 4] what other views show where the photo shows nothing (:mod:`.seen_colors`); None
            if not requested.
        note: A message about a cached file that was damaged and computed anew, or None.
    """

    inputs: NetworkInputs
    fit: ReferenceFit
    seen: FloatArray | None = None
    note: str | None = None


class References:
    """Computes the network's inputs of subjects' views.

    Args:
        body: The default body that the shards' betas belong to.
        config: Of the network.
        cache: Folder of the results, which several processes may share; None caches nothing.
        augmentation: How the photos differ from renderings with a known body.
        seen: Whether to look up what other views show (:attr:`PreparedReference.seen`).
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
        if self.residual:
            return None
        return starting_gaussians(self.config, self.body, self._grids)

    @cached_property
    def _made_for(self) -> str:
        """Hash of everything that the inputs depend on besides the photo."""
        decoder = self.config.decoder
        what = {
            "version": VERSION,
            "code": code_sha256(_CODE),
            "file": FILE_VERSION,
            "image_size": self.config.encoder.image_size,
            "core_grid": decoder.core_grid,
            "shell_grid": decoder.shell_grid,
            "samples_per_side": decoder.samples_per_side,
            "map_size": decoder.map_size,
            "shell_offset": decoder.shell_offset,
            "vertices": len(self._grids.vertices),
            "lift": asdict(LiftOptions()) if self.residual else None,
        }
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        for name in ("v_template", "f", "atlas_vt", "atlas_ft", "shapedirs", "weights"):
            digest.update(np.ascontiguousarray(getattr(self.body, name)).tobytes())
        return digest.hexdigest()

    def budget(self, subject: Subject, view: int) -> int:
        """Get the number of Gaussians that the lift of one view may make.

        It is sampled from the network's range, log-uniformly, and always the same for the same
        view.
        """
        fewest, most = self.config.budgets
        name = zlib.crc32(f"{subject.key}/{subject.views[view].name}/budget".encode())
        rng = np.random.default_rng([subject.seed & 0xFFFFFFFF, name])
        return round(float(np.exp(rng.uniform(np.log(fewest), np.log(most)))))

    def lift_options(self, subject: Subject, view: int) -> LiftOptions:
        """Get the options of one view's lift.

        A small budget gets a coarser grid of labels and depths too.
        """
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
        """Get the reason why :meth:`inputs` fails, or None if it succeeds.

        It is fast for cached results.
        """
        path = self._path(subject, view)
        if path is not None and path.is_file() and not (self.seen and _missing(path)):
            return None
        try:
            self.inputs(subject, view)
        except InvalidReferenceError as reason:
            return str(reason)
        return None

    def inputs(self, subject: Subject, view: int) -> PreparedReference:
        """Get the network's inputs of one view.

        Args:
            subject: The person.
            view: Row of the view.

        Raises:
            InvalidReferenceError: The view cannot be a reference.
        """
        made = self._inputs(subject, view)
        if isinstance(self.config.decoder, PerseConfig):
            edit = find_edit(subject, self.config.decoder)
            made = replace(made, inputs=replace(made.inputs, edit=edit))
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
                note = note or f"the cached file '{path}' was damaged and is computed anew"
        if seen is None:
            seen = np.round(255.0 * self._looked_up(subject, view, made)).astype(np.uint8)
            if path is not None:
                with atomic_write(path, shared=True, make_parent=True) as scratch:
                    save_file({"seen": seen}, scratch)
        return replace(made, seen=np.asarray(seen / np.float32(255.0), np.float32), note=note)

    def _looked_up(self, subject: Subject, reference: int, made: PreparedReference) -> FloatArray:
        """Colours from other views.

        Zeros for a body that is not the true one, whose places are not known well enough.
        """
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
                    note = f"the cached file '{path}' was damaged and is computed anew ({error})"
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
        # The new file is read back, so that a run does not depend on what was cached before.
        return self._read(path, note or photo.note)

    def _read(self, path: Path, note: str | None = None) -> PreparedReference:
        inputs = load_inputs(path, self._grids.places, self._blank)
        return PreparedReference(inputs, load_fit(path), note=note)

    def _lifted(self, photo: Photograph, options: LiftOptions) -> NetworkInputs:
        """The inputs of a photo, whatever was cached before."""
        own = self.body.personalised(photo.track.betas)
        try:
            base = self._blank
            if base is None:
                assert photo.observation is not None
                # Skirt and nape would be meshes of their own, which a batch's bodies do not have;
                # nor do these have ears of their own.
                base = lift_photo(
                    photo.matte,
                    photo.observation,
                    photo.track,
                    own,
                    options,
                    find_skirt=False,
                    nape=False,
                    ears=FITTED,
                ).gaussians
            shots = [(photo.matte, photo.track)]
            return network_inputs(self.config, self._grids, shots, own, base)
        except LikenessError as error:
            raise InvalidReferenceError(error.message) from error


def find_edit(subject: Subject, config: PerseConfig) -> FamilyEdit:
    """Find which look of its family a subject has.

    Args:
        subject: Of ``likeness synth --attributes``.
        config: Of the network.

    Raises:
        InvalidReferenceError: It is not of a family, or the network has no code for its look.
    """
    family = subject.facts.get("family")
    if not isinstance(family, dict):
        raise InvalidReferenceError("it is not of a family (synth --attributes)")
    try:
        category, look = str(family["category"]), int(family["look"])
        amount = float(family["amount"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidReferenceError(f"its family is damaged ({error!r})") from error
    if not category:
        return FamilyEdit()
    if category not in config.category_names or not 0 <= look < config.looks:
        raise InvalidReferenceError(f"the network has no code for pair {look} of '{category}'")
    return FamilyEdit(config.category_names.index(category), look, amount)


def _beside(path: Path) -> Path:
    """Path of the seen colours of cached inputs."""
    return path.with_name(f"{path.stem}.{_SEEN}.safetensors")


def _kept_colors(path: Path, count: int) -> np.ndarray[Any, Any] | None:
    """[count, 4] uint8 from a file; None where it is damaged."""
    try:
        kept = load_file(path)["seen"]
    except (OSError, SafetensorError, KeyError):
        return None
    return kept if kept.shape == (count, 4) and kept.dtype == np.uint8 else None


def _missing(path: Path) -> bool:
    return not _beside(path).is_file()
