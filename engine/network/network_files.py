"""A network's folder: ``config.json``, and a safetensors file for each of its components.

Those of the first paper are ``encoder`` and ``decoder``; GUAVA's are ``encoder``, ``projection``,
``template``, ``uv`` and ``refiner``.

An encoder that was never trained here (``encoder.frozen`` of another kind than our own) is not
saved: it is found by its source again. Needs torch.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..body import Body
from ..core.types import LikenessError
from ..files.atomic import atomic_write_files
from .config import EncoderConfig, NetworkConfig, load_config, save_config
from .create import AnyNetwork, create_network

DECODER_FILE, ENCODER_FILE = "decoder.safetensors", "encoder.safetensors"


def keeps_encoder(config: EncoderConfig) -> bool:
    """Whether the encoder's weights belong in the folder."""
    return config.kind == "own" or not config.frozen


def component_files(network: AnyNetwork) -> dict[str, nn.Module]:
    """Get the components that belong in a network's folder, by the names of their files."""
    kept = dict(network.named_children())
    if not keeps_encoder(network.config.encoder):
        del kept["encoder"]
    return {f"{name}.safetensors": kept[name] for name in sorted(kept)}


def save_network(network: AnyNetwork, folder: Path) -> None:
    """Write the network's files into a folder atomically.

    Raises:
        LikenessError: The folder cannot be written.
    """
    with atomic_write_files(folder) as scratch:
        save_config(network.config, scratch)
        for name, component in component_files(network).items():
            save_file(_tensors(component), scratch / name)


def load_network(folder: Path, body: Body) -> AnyNetwork:
    """Read a network, in evaluation mode.

    Raises:
        LikenessError: A file is missing or damaged, or does not fit the config or the body.
    """
    config = load_config(NetworkConfig, folder)
    network = create_network(config, body)
    for name, component in component_files(network).items():
        load_weights(component, folder / name)
    return network.eval()


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill a module from a safetensors file.

    Raises:
        LikenessError: It is missing or damaged, or has other names or shapes.
    """
    remedy = "Use the files as they were saved, or train the network again."
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise LikenessError(f"'{path}' cannot be read: {error}.", remedy) from error
    own = module.state_dict()
    wrong = sorted(own.keys() ^ tensors.keys())
    wrong += [
        f"{name} {list(tensors[name].shape)}, not {list(value.shape)}"
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise LikenessError(
            f"'{path}' does not fit its config or the body: {'; '.join(wrong[:3])}{more}.", remedy
        )
    module.load_state_dict(tensors)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in module.state_dict().items()}
