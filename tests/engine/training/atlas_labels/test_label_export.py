"""The exported label network says what the trained one says."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if find_spec("onnxscript") is None:  # every process collects this file, and one exports
    pytest.skip("No onnxscript.", allow_module_level=True)

from likeness.engine.body import Body  # noqa: E402
from likeness.engine.core.types import LikenessError  # noqa: E402
from likeness.engine.files.digests import file_sha256  # noqa: E402
from likeness.engine.gaussians.lift.garments.labels_network import (  # noqa: E402
    LABELS_ONNX,
    LabelNetworkRuntime,
)
from likeness.engine.gaussians.lift.surface.atlas_cells import (  # noqa: E402
    NOT_SEEN,
    atlas_cells,
    label_inputs,
)
from likeness.engine.training.atlas_labels.export import LABEL_NETWORK, export_labels  # noqa: E402
from likeness.engine.training.atlas_labels.train import (  # noqa: E402
    load_label_network,
    place_grid,
)
from likeness.engine.training.small_cards import read_about  # noqa: E402
from likeness.engine.training.small_runs import CHECKPOINT  # noqa: E402
from safetensors.torch import save_file  # noqa: E402


@pytest.mark.slow
def test_an_export_is_the_network_and_small(box_body: Body, tmp_path: Path) -> None:
    from likeness.engine.training.atlas_labels.model import LabelNetwork

    cells = atlas_cells(box_body)
    torch.manual_seed(3)
    network = LabelNetwork(place_grid(cells))
    for parameter in network.parameters():  # layers that begin at zero, too
        torch.nn.init.normal_(parameter, 0.0, 0.15)
    run = tmp_path / "run"
    run.mkdir()
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    save_file({"step": torch.tensor(12), **state}, run / CHECKPOINT)
    about = tmp_path / "about.json"
    about.write_text(json.dumps({"limits": "None are known."}))
    files = export_labels(run, tmp_path / "out", box_body, read_about(about))
    path = tmp_path / "out" / LABELS_ONNX
    assert path in files
    assert path.stat().st_size <= LABEL_NETWORK.max_bytes
    assert str(tmp_path).encode() not in path.read_bytes()
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert (card["steps"], card["sha256"]) == (12, file_sha256(path))
    assert "None are known." in (tmp_path / "out" / "card.md").read_text()
    runtime = LabelNetworkRuntime(path)
    assert runtime.fits(box_body)
    rng = np.random.default_rng(0)
    label = rng.integers(NOT_SEEN, 6, len(cells.place))
    color = rng.random((len(label), 3))
    grid, numbers = label_inputs(cells, label, color)
    with torch.no_grad():
        logits = load_label_network(run, cells)[0](
            torch.from_numpy(grid)[None], torch.from_numpy(numbers)[None]
        )
    expected = logits.softmax(1)[0].numpy()[:, cells.samples.row, cells.samples.col].T
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(runtime.probabilities(cells, label, color), expected, atol=5e-3)


def test_a_card_needs_json(tmp_path: Path) -> None:
    assert read_about(None) == {}
    (tmp_path / "about.json").write_text("[")
    with pytest.raises(LikenessError, match="cannot be read"):
        read_about(tmp_path / "about.json")
