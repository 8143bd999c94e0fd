"""Sapiens2 and DINOv2 through ``transformers``: vision transformers as feature grids.

Needs ``transformers`` (the extra ``encoders``). The weights come from a folder with
``config.json`` and ``model.safetensors``, or, if the user allows it, from the hub.
"""

from __future__ import annotations

from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from ...core.types import LikenessError
from ...files.downloads import resolve_model
from ...files.weights import WEIGHTS, find_weights
from ..config import EncoderConfig
from .encoder import IMAGENET, Encoder

MODEL_TYPES = {"sapiens2": ("sapiens2",), "dinov2": ("dinov2", "dinov2_with_registers")}
"""Encoder kind -> accepted values of ``model_type``."""


class HubEncoder(Encoder):
    """The last layer's normalised patch tokens, on their grid, and its class token as the code.

    Register tokens are dropped. Both families take pictures of any size that divides into
    patches: Sapiens2 encodes places by rotary angles, DINOv2's table of places is resized.

    Args:
        config: Its ``source`` is a folder, a name of the weights table or one on the hub.
        allow_download: See ``create_encoder``.

    Raises:
        LikenessError: ``transformers`` is missing, or see :func:`load_backbone`.
    """

    def __init__(self, config: EncoderConfig, allow_download: bool | None = None) -> None:
        super().__init__(config, IMAGENET)
        if not config.source:
            raise LikenessError(
                f"The encoder '{config.kind}' needs a source.",
                "Set encoder.source to a folder with config.json and model.safetensors, or to a "
                "name on the hub.",
            )
        self.backbone = load_backbone(config, allow_download)
        _check_fit(self.backbone.config, config)
        # Sapiens2 shifts its places at random in training, from torch's global generator: then
        # no step could be repeated.
        for name in ("pos_embed_shift", "pos_embed_jitter", "pos_embed_rescale"):
            if hasattr(self.backbone.config, name):
                setattr(self.backbone.config, name, None)
        # Only for masked pictures, which are not used here; training on several GPUs would wait
        # for its gradient.
        mask = getattr(self.backbone.embeddings, "mask_token", None)
        if mask is not None:
            mask.requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        """Compute features of normalised pictures.

        Args:
            images: [B, 3, S, S].

        Returns:
            [B, C, S / stride, S / stride].
        """
        return self.features_and_code(images)[0]

    def features_and_code(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features of normalised pictures, and their class tokens.

        Args:
            images: [B, 3, S, S].

        Returns:
            [B, C, S / stride, S / stride] and [B, C].
        """
        tokens: Tensor = self.backbone(pixel_values=images).last_hidden_state
        cells = self.config.image_size // self.config.stride
        patches = tokens[:, tokens.shape[1] - cells * cells :]
        grid = patches.transpose(1, 2).reshape(images.shape[0], -1, cells, cells)
        return grid, tokens[:, 0]


def load_backbone(config: EncoderConfig, allow_download: bool | None = None) -> Any:
    """Load a model of ``transformers`` with all its weights.

    Raises:
        LikenessError: ``transformers`` is missing or too old; the model is missing or of another
            family, or some of its weights are missing.
    """
    try:
        import transformers
    except ImportError as error:
        raise LikenessError(
            f"The encoder '{config.kind}' needs the package 'transformers', which is not "
            "installed.",
            "Run pip install -e '.[encoders]' in the project's folder.",
        ) from error
    source, offline = _source(config.source, allow_download)
    remedy = "Give a folder with config.json and model.safetensors, whole and as published."
    try:
        # A folder's own code is never run.
        made = transformers.AutoConfig.from_pretrained(
            source, local_files_only=offline, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise LikenessError(
            f"'{config.source}' cannot be read by transformers {transformers.__version__}: "
            f"{_first_line(error)}.",
            remedy,
        ) from error
    if made.model_type not in MODEL_TYPES[config.kind]:
        raise LikenessError(
            f"'{config.source}' is a '{made.model_type}', not a {config.kind}.",
            "Give the weights of that family, or change encoder.kind.",
        )
    try:
        model, told = transformers.AutoModel.from_pretrained(
            source,
            config=made,
            local_files_only=offline,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise LikenessError(
            f"The weights of '{config.source}' cannot be read: {_first_line(error)}.", remedy
        ) from error
    # transformers itself would silently use random numbers instead.
    missing = sorted(name for name in told["missing_keys"] if "mask_token" not in name)
    if missing:
        raise LikenessError(
            f"'{config.source}' lacks {len(missing)} of its weights ({missing[0]} ...).",
            "Give the pretrained encoder in the form of transformers.",
        )
    return model


def _source(source: str, allow_download: bool | None) -> tuple[str, bool]:
    """The argument for transformers, and whether it is a folder on this computer."""
    if source in WEIGHTS or source in {entry.repository for entry in WEIGHTS.values()}:
        return str(find_weights(source, allow_download)), True
    return resolve_model(source, allow_download)


def _check_fit(made: Any, config: EncoderConfig) -> None:
    patch = made.patch_size if isinstance(made.patch_size, int) else made.patch_size[0]
    wrong = [
        f"encoder.{name} is {given}, not {real}"
        for name, given, real in (
            ("channels", config.channels, made.hidden_size),
            ("stride", config.stride, patch),
        )
        if given != real
    ]
    if wrong:
        raise LikenessError(f"'{config.source}': {'; '.join(wrong)}.", "Set them so.")
    if config.image_size % patch:
        raise LikenessError(
            f"A picture of {config.image_size} pixels does not divide into patches of {patch}.",
            "Set encoder.image_size to a multiple.",
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
