"""The locations of assets and trained weights: the body, the detectors, the networks.

Assets are searched for in the folder named by ``LIKENESS_ASSETS``, the ``assets`` folder inside the
package (part of the installed extension) and the user's cache, which ``likeness assets`` fills.
For trained weights see :func:`find_weights`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.types import LikenessError
from .downloads import (
    FetchProgress,
    check_file,
    downloads_allowed,
    fetch_file,
    hub_copy,
    hub_snapshot,
)
from .user_folders import cache_root, data_root

_log = logging.getLogger(__name__)

ASSETS_VERSION = "2"
PACKAGE_ASSETS = Path(__file__).resolve().parents[2] / "assets"
BUNDLED_WEIGHTS = Path(__file__).resolve().parents[1] / "network" / "weights"
"""Weights that come with Likeness, one folder for each (``likeness train --export-weights``)."""

ASSETS: dict[str, str] = {
    "body": "body.npz",
    "pose_detection": "detectors/pose_detection.tflite",
    "pose_landmark": "detectors/pose_landmark_full.tflite",
    "face_detection_short": "detectors/face_detection_short_range.tflite",
    "face_detection_full": "detectors/face_detection_full_range_sparse.tflite",
    "face_landmark": "detectors/face_landmark.tflite",
    "iris_landmark": "detectors/iris_landmark.tflite",
    "palm_detection": "detectors/palm_detection_full.tflite",
    "hand_landmark": "detectors/hand_landmark_full.tflite",
    "selfie_segmentation": "detectors/selfie_segmentation.tflite",
    "poses": "poses/likeness_poses.blend",
}
"""Asset name -> file below the assets folder."""

REMEDY = (
    "Install the extension again. Elsewhere, run 'likeness assets', or set LIKENESS_ASSETS to a "
    "folder that has it."
)


@dataclass(frozen=True)
class WeightFile:
    """A file of trained weights, with its published size and checksum.

    Attributes:
        name: Its name without folders.
        size: Bytes; None if not published.
        sha256: SHA-256 in hex, or its first digits; empty if not published.
    """

    name: str
    size: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class ModelWeights:
    """A trained network that Likeness can use.

    Attributes:
        name: Its name for :func:`find_weights`.
        purpose: What Likeness uses it for.
        licence: Licence of the weights according to their publishers.
        files: One file, or the files of a folder called ``name``.
        repository: Name on the Hugging Face hub; empty if it is not there.
        url: Web address of the folder with the files, without a repository.
        gigabytes: Approximate size of the repository if all of it is needed (a model in shards, or
            a pipeline of several); then ``files`` only identify it.
    """

    name: str
    purpose: str
    licence: str
    files: tuple[WeightFile, ...]
    repository: str = ""
    url: str = ""
    gigabytes: int = 0

    @property
    def page(self) -> str:
        """The web page of the files; empty if there is none."""
        return f"https://huggingface.co/{self.repository}" if self.repository else self.url

    def inside(self, folder: Path) -> Path | None:
        """Return the file, or the folder of several, below a folder of weights; None if missing."""
        own = folder / self.name
        if all((own / file.name).is_file() for file in self.files):
            if self.gigabytes:
                return own
            return own / self.files[0].name if len(self.files) == 1 else own
        if len(self.files) == 1 and not self.gigabytes and (folder / self.files[0].name).is_file():
            return folder / self.files[0].name
        return None


CONFIG_AND_ONNX = tuple(map(WeightFile, ("config.json", "encoder.onnx", "decoder.onnx")))
TRANSFORMERS = (WeightFile("config.json"), WeightFile("model.safetensors"))
TORCHVISION = "https://download.pytorch.org/models/"
LPIPS = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/"
)

WEIGHTS: dict[str, ModelWeights] = {
    entry.name: entry
    for entry in (
        ModelWeights(
            "default",
            "Corrects the colors of sides that the photo does not show",
            "as Likeness",
            CONFIG_AND_ONNX,
        ),
        ModelWeights(
            "labels",
            "Labels what the photo does not show: skin, clothes, hair",
            "as Likeness",
            (WeightFile("labels.onnx"),),
        ),
        ModelWeights(
            "parser",
            "Labels what the photo shows: skin, clothes, hair",
            "as Likeness",
            (WeightFile("parser.onnx"),),
        ),
        ModelWeights(
            "polish",
            "Polishes what the photo does not show squarely",
            "as Likeness",
            (WeightFile("polish.onnx"),),
        ),
        ModelWeights(
            "sapiens-1b",
            "the paper's encoder (section 3.1), frozen",
            "CC BY-NC 4.0: not for commercial use",
            (WeightFile("sapiens_1b_epoch_173_torchscript.pt2"),),
            repository="facebook/sapiens-pretrain-1b-torchscript",
        ),
        ModelWeights(
            "sapiens2-0.4b",
            "an encoder, 1024 channels at stride 16",
            "Sapiens2 License: no deepfakes, no biometric processing, passed on with its text",
            TRANSFORMERS,
            repository="facebook/sapiens2-pretrain-0.4b",
        ),
        ModelWeights(
            "dinov2-base",
            "an encoder, 768 channels at stride 14",
            "Apache-2.0",
            TRANSFORMERS,
            repository="facebook/dinov2-base",
        ),
        ModelWeights(
            "alexnet",
            "the perceptual loss's backbone",
            "BSD-3-Clause (torchvision)",
            (WeightFile("alexnet-owt-7be5be79.pth", sha256="7be5be79"),),
            url=TORCHVISION,
        ),
        ModelWeights(
            "vgg16",
            "the perceptual loss's backbone",
            "BSD-3-Clause (torchvision)",
            (
                WeightFile(
                    "vgg16-397923af.pth",
                    553_433_881,
                    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                ),
            ),
            url=TORCHVISION,
        ),
        ModelWeights(
            "lpips-alexnet",
            "how the perceptual loss weighs AlexNet's channels",
            "BSD-2-Clause (LPIPS)",
            (
                WeightFile(
                    "alex.pth",
                    6009,
                    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
                ),
            ),
            url=LPIPS,
        ),
        ModelWeights(
            "lpips-vgg16",
            "how the perceptual loss weighs VGG16's channels",
            "BSD-2-Clause (LPIPS)",
            (
                WeightFile(
                    "vgg.pth",
                    7289,
                    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
                ),
            ),
            url=LPIPS,
        ),
        ModelWeights(
            "sface",
            "tells faces apart: the identity figure of 'likeness eval'",
            "Apache-2.0 (OpenCV Zoo)",
            (
                WeightFile(
                    "face_recognition_sface_2021dec.onnx",
                    38_696_353,
                    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
                ),
            ),
            repository="opencv/face_recognition_sface",
        ),
        ModelWeights(
            "qwen2.5-14b-instruct",
            "rewrites the scenes of 'likeness generate'",
            "Apache-2.0",
            (WeightFile("config.json"),),
            repository="Qwen/Qwen2.5-14B-Instruct",
            gigabytes=30,
        ),
        ModelWeights(
            "wan2.2-ti2v-5b",
            "films the scenes of 'likeness generate'",
            "Apache-2.0",
            (WeightFile("model_index.json"),),
            repository="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
            gigabytes=34,
        ),
        ModelWeights(
            "qwen-image-edit",
            "turns people to the sides and the back in 'likeness generate'",
            "Apache-2.0",
            (WeightFile("model_index.json"),),
            repository="Qwen/Qwen-Image-Edit",
            gigabytes=58,
        ),
        ModelWeights(
            "flux-fill",
            "fills a part of a portrait in 'likeness edit --edit'",
            "FLUX.1 [dev] Non-Commercial",
            (WeightFile("model_index.json"),),
            repository="black-forest-labs/FLUX.1-Fill-dev",
            gigabytes=58,
        ),
    )
}
"""Trained networks by name, with sizes and checksums where these are published."""


def cache_assets_dir() -> Path:
    """Return the folder in the user's cache that ``likeness assets`` fills."""
    return cache_root() / f"assets-{ASSETS_VERSION}"


def assets_dirs() -> list[Path]:
    """Return the folders to search for assets, in order."""
    named = os.environ.get("LIKENESS_ASSETS")
    return [*([Path(named)] if named else []), PACKAGE_ASSETS, cache_assets_dir()]


def asset_path(name: str) -> Path:
    """Return the file of an asset.

    Args:
        name: A key of :data:`ASSETS`.

    Raises:
        LikenessError: No folder has it.
    """
    for folder in assets_dirs():
        path = folder / ASSETS[name]
        if path.is_file():
            return path
    searched = ", ".join(str(d) for d in assets_dirs())
    raise LikenessError(f"The asset '{ASSETS[name]}' is missing (searched {searched}).", REMEDY)


def user_weights_dir() -> Path:
    """Return the folder for downloaded and the user's own weights; it need not exist."""
    return data_root() / "weights"


def weights_dirs(more: Sequence[Path] = ()) -> list[Path]:
    """Return the folders to search for weights, in order.

    Args:
        more: Folders to search after those of ``LIKENESS_WEIGHTS``, such as the extension's own.
    """
    named = os.environ.get("LIKENESS_WEIGHTS", "")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    torch_home = Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch")
    return [
        *(Path(part) for part in named.split(os.pathsep) if part),
        *more,
        user_weights_dir(),
        BUNDLED_WEIGHTS,
        torch_home / "hub" / "checkpoints",  # torchvision's downloads
    ]


def find_local_weights(entry: ModelWeights, more: Sequence[Path] = ()) -> Path | None:
    """Find weights on this computer, without checking them.

    Args:
        entry: The weights.
        more: See :func:`find_weights`.

    Returns:
        The file or folder; None if they are not on this computer.
    """
    for folder in weights_dirs(more):
        found = entry.inside(folder)
        if found is not None:
            return found
    if entry.gigabytes:
        return hub_snapshot(entry.repository, download=False)
    return hub_copy(entry.repository, [file.name for file in entry.files])


NO_NETWORK, DEFAULT_NETWORK = "none", "default"
"""Choices in place of a network's folder."""


def find_network(choice: str) -> Path | None:
    """Return the folder of the network that the user chose.

    Args:
        choice: A folder, ``default`` (or empty), or ``none``.

    Returns:
        None for ``none``.

    Raises:
        LikenessError: This copy of Likeness has no network.
    """
    if choice == NO_NETWORK:
        return None
    return find_weights(DEFAULT_NETWORK) if choice in ("", DEFAULT_NETWORK) else Path(choice)


def find_weights(
    wanted: str | Path,
    allow_download: bool | None = None,
    more: Sequence[Path] = (),
    *,
    into: Path | None = None,
    progress: FetchProgress | None = None,
) -> Path:
    """Return the file of trained weights, or the folder of several files.

    The search order is: a path that exists; the folders of ``LIKENESS_WEIGHTS`` (separated as in
    ``PATH``), ``more``, the user's folder, the bundled weights, torch's cache; the hub's cache;
    and, only if allowed, the hub or the web. A file lies in such a folder directly or below the
    weights' name. Published sizes and checksums are checked.

    Args:
        wanted: A path, or a name in :data:`WEIGHTS`, of the file or of the repository.
        allow_download: Whether downloads are allowed; None asks ``LIKENESS_ALLOW_DOWNLOAD``.
        more: More folders; Blender's extension has its own.
        into: Where files from the web go, into a folder with the weights' name; the user's folder
            by default.
        progress: Reports downloads.

    Raises:
        LikenessError: The weights do not exist, are damaged, or cannot be downloaded.
    """
    entry = _entry(str(wanted))
    path = Path(wanted)
    # A name in the table wins over a folder of the same name.
    if str(wanted) not in WEIGHTS and path.exists():
        return path
    if entry is None:
        raise LikenessError(
            f"The weights '{wanted}' are unknown.",
            f"Give a path that exists, or one of: {', '.join(WEIGHTS)}.",
        )
    found = find_local_weights(entry, more)
    if found is not None:
        _log.info("weights %s: %s", entry.name, found)
        return _checked(entry, found)
    if not entry.page:
        raise LikenessError(
            f"This copy of Likeness has no trained network ('{BUNDLED_WEIGHTS / entry.name}').",
            "Get a complete copy, give the folder of one that you have trained, or switch it off.",
        )
    if not downloads_allowed(allow_download):
        names = " and ".join(file.name for file in entry.files)
        raise LikenessError(
            f"The weights '{entry.name}' ({names}) are not on this computer.",
            f"Give their path; or put them into '{user_weights_dir() / entry.name}' "
            f"(from {entry.page}; licence: {entry.licence}); or allow the download with "
            "LIKENESS_ALLOW_DOWNLOAD=1.",
        )
    if entry.gigabytes and (whole := hub_snapshot(entry.repository, download=True)) is not None:
        return whole
    target = (into or user_weights_dir()) / entry.name
    fetched = [
        fetch_file(
            entry.repository,
            entry.url,
            file.name,
            target,
            file.size,
            file.sha256,
            _share(progress, i, len(entry.files)),
        )
        for i, file in enumerate(entry.files)
    ]
    return fetched[0] if len(fetched) == 1 else fetched[0].parent


def _share(progress: FetchProgress | None, index: int, files: int) -> FetchProgress | None:
    """Turn the progress of one of several files into that of all."""
    if progress is None:
        return None
    return lambda fraction, name: progress((index + fraction) / files, name)


def _entry(wanted: str) -> ModelWeights | None:
    for entry in WEIGHTS.values():
        alone = entry.files[0].name if len(entry.files) == 1 else entry.name
        if wanted in (entry.name, alone, entry.repository or entry.name):
            return entry
    return None


def _checked(entry: ModelWeights, found: Path) -> Path:
    """Check a file, or the folder of several, against what is published; return it."""
    for file in entry.files:
        path = found / file.name if len(entry.files) > 1 or entry.gigabytes else found
        check_file(path, file.size, file.sha256)
    return found
