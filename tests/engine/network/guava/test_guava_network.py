"""GUAVA's network, piece by piece, on the body of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import NUM_JOINTS, LikenessError, Matte, Pose, Track
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.binding import place_on_faces
from likeness.engine.network.apply import apply_network, blank_lift
from likeness.engine.network.attributes import with_attributes
from likeness.engine.network.config import (
    EncoderConfig,
    NetworkConfig,
    diff_configs,
    load_config,
    override_fields,
    save_config,
)
from likeness.engine.network.create import create_network
from likeness.engine.network.guava.guava_network import GuavaNetwork, Refiner
from likeness.engine.network.inputs import (
    NetworkInputs,
    blank_gaussians,
    network_inputs,
    square_crop,
    unit_lengths,
)
from likeness.engine.network.network_files import component_files, load_network, save_network
from likeness.engine.network.onnx_export import export_onnx
from likeness.engine.network.presets import NETWORKS
from likeness.engine.network.runtime import load_runtime
from likeness.engine.network.tensor_batch import collate
from likeness.engine.network.uv_grids import uv_grids

from tests.small_networks import SMALL_GUAVA

CONFIG = NetworkConfig(
    "boxes",
    EncoderConfig(image_size=64, channels=12, width=8, depth=1),
    replace(SMALL_GUAVA, template_vertices=40),
    300,
)


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body()


@pytest.fixture(scope="module")
def shot(body: Body) -> tuple[Matte, Track]:
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.05, 0.1, -3.0]))
    camera = photo_camera(260.0, 160, 200)
    colors = np.random.default_rng(0).uniform(0, 1, (200, 160, 3)).astype(np.float32)
    alpha = np.ones((200, 160), np.float32)
    track = Track(np.zeros(body.num_betas), pose, camera, "full", np.ones(NUM_JOINTS), None, None)
    return Matte(alpha, colors), track


@pytest.fixture(scope="module")
def inputs(body: Body, shot: tuple[Matte, Track]) -> NetworkInputs:
    grids = uv_grids(body, CONFIG.decoder)
    base = blank_gaussians(body, grids, CONFIG.max_gaussians)
    return network_inputs(CONFIG, grids, [shot], body, base)


def made(body: Body, **changes: object) -> GuavaNetwork:
    """A network whose last layers are not zero any more."""
    config = replace(CONFIG, decoder=replace(CONFIG.decoder, **changes))
    network = create_network(config, body, seed=1)
    assert isinstance(network, GuavaNetwork)
    torch.manual_seed(2)
    for name, parameter in network.named_parameters():
        if ".last." in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def run(network: GuavaNetwork, inputs: NetworkInputs) -> dict[str, np.ndarray]:
    with torch.no_grad():
        said = network(collate([inputs], network.grids, network.config.decoder, 64))
    return {name: value[0].numpy() for name, value in said._asdict().items()}


def test_the_template_gaussians_are_at_their_vertices(body: Body, inputs: NetworkInputs) -> None:
    grids, base = uv_grids(body, CONFIG.decoder), inputs.base
    assert len(grids.vertices) == 40
    assert len(base) == CONFIG.max_gaussians
    placed = place_gaussians(base.take(slice(40)), body.v_template, body)
    np.testing.assert_allclose(placed.means, body.v_template[grids.vertices], atol=1e-6)


def test_vertices_are_spread_and_all_are_taken_for_zero(body: Body) -> None:
    every = uv_grids(body, replace(CONFIG.decoder, template_vertices=0)).vertices
    assert list(every) == list(range(len(body.v_template)))
    few = uv_grids(body, CONFIG.decoder).vertices
    chosen = [0]  # farthest-point sampling as its definition says
    while len(chosen) < 40:
        near = [
            min(np.linalg.norm(p - body.v_template[c]) for c in chosen) for p in body.v_template
        ]
        chosen.append(int(np.argmax(near)))
    reach = [
        max(np.linalg.norm(p - body.v_template[kept], axis=1).min() for p in body.v_template)
        for kept in (few, np.array(chosen))
    ]
    assert reach[0] == pytest.approx(reach[1])


def test_units_are_mean_edges_or_the_distance_of_sparse_gaussians(
    body: Body, inputs: NetworkInputs
) -> None:
    edges = body.mean_edges
    for row in (0, 7, len(body.f) - 1):
        a, b, c = (body.v_template[v] for v in body.f[row])
        lengths = [np.linalg.norm(p - q) for p, q in ((a, b), (b, c), (c, a))]
        assert edges[row] == pytest.approx(np.mean(lengths))
    found = unit_lengths(body, inputs.base)
    apart = inputs.base.scales[:, 0] / 0.6
    np.testing.assert_allclose(found, np.maximum(edges[inputs.base.triangle], apart), rtol=1e-6)
    assert (found > edges[inputs.base.triangle] * 1.01).any()
    dense = blank_gaussians(body, uv_grids(body, CONFIG.decoder), 60_000)
    np.testing.assert_allclose(
        unit_lengths(body, dense)[40:], edges[dense.triangle][40:], rtol=1e-6
    )


def test_a_new_network_returns_grey_gaussians(body: Body, inputs: NetworkInputs) -> None:
    network = create_network(CONFIG, body)
    said = run(network, inputs)
    base = inputs.base
    for name in ("offset", "quats", "scales", "opacities"):
        np.testing.assert_allclose(said[name], getattr(base, name), atol=1e-6)
    assert (said["colors"][:, :3] == 0.5).all()
    assert not said["colors"][:, 3:].any()


def test_the_inverse_texture_map_is_the_photo_at_visible_points(
    body: Body, inputs: NetworkInputs, shot: tuple[Matte, Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray by ray: a texel's point is visible where no triangle is nearer on its ray."""
    network = made(body)
    seen: list[torch.Tensor] = []
    assert network.uv is not None
    own = network.uv.unet.forward

    def spied(maps: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        seen.append(maps)
        return own(maps, code)

    monkeypatch.setattr(network.uv.unet, "forward", spied)
    run(network, inputs)
    (maps,) = seen
    matte, track = shot
    crop = square_crop(matte, track.camera, 64)
    vertices, _ = body.vertices(track.pose)
    samples = network.grids.core
    points = samples.points(np.asarray(vertices, np.float64), body.f)
    xy, _ = project(points, crop.camera)
    photo = inputs.photos[0]
    assert 0.2 < photo.core_seen.mean() < 0.6  # one side of a closed body, less its rim
    shown = maps[0, :, samples.row, samples.col].T.numpy()
    assert not shown[~photo.core_seen].any()
    for k in np.flatnonzero(photo.core_seen)[::7]:
        x, y = xy[k] - 0.5
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        expected = sum(
            (1 - abs(x - u)) * (1 - abs(y - v)) * crop.image[min(v, 63), min(u, 63)]
            for u in (x0, x0 + 1)
            for v in (y0, y0 + 1)
        )
        np.testing.assert_allclose(shown[k, :3], expected, atol=2e-3)
        assert shown[k, -1] == pytest.approx(1.0, abs=1e-5)
    filled = np.zeros((16, 16), bool)
    filled[samples.row, samples.col] = True
    assert not maps[0, :, torch.from_numpy(~filled)].any()


def test_colours_may_start_as_the_photos(
    body: Body, inputs: NetworkInputs, shot: tuple[Matte, Track]
) -> None:
    """A shirt of one colour and a new network: all Gaussians have it, or grey without."""
    photo = inputs.photos[0]
    red = np.broadcast_to(np.float32([0.8, 0.3, 0.1]), photo.image.shape)
    plain = replace(inputs, photos=(replace(photo, image=red),))
    for on, expected in ((True, [0.8, 0.3, 0.1]), (False, [0.5, 0.5, 0.5])):
        config = replace(CONFIG, decoder=replace(CONFIG.decoder, photo_colors=on))
        network = create_network(config, body)
        found = run(network, plain)["colors"][:, :3]
        np.testing.assert_allclose(found, np.tile(expected, (300, 1)), atol=1e-5)
    # Where the photo shows a texel, its own colour: the mean of the four pixels around.
    config = replace(CONFIG, decoder=replace(CONFIG.decoder, photo_colors=True))
    network = create_network(config, body)
    colors = run(network, inputs)["colors"][:40, :3]
    xy = 64 * photo.vertex_xy - 0.5
    for k in range(0, 40, 5):
        x0, y0 = (int(v) for v in np.floor(xy[k]))
        mixed = sum(
            (1 - abs(xy[k, 0] - u)) * (1 - abs(xy[k, 1] - v)) * photo.image[v, u]
            for u in (x0, x0 + 1)
            for v in (y0, y0 + 1)
        )
        np.testing.assert_allclose(colors[k], np.clip(mixed, 0.02, 0.98), atol=2e-3)


def test_without_inverse_mapping_only_the_code_describes_the_atlas(
    body: Body, inputs: NetworkInputs
) -> None:
    moved = replace(inputs.photos[0], core_seen=~inputs.photos[0].core_seen)
    other = replace(inputs, photos=(moved,))
    for on, differs in ((True, True), (False, False)):
        network = made(body, inverse_mapping=on)
        change = np.abs(run(network, inputs)["colors"] - run(network, other)["colors"])[40:].max()
        assert (change > 1e-4) == differs


def test_without_uv_gaussians_only_the_template_is_visible(
    body: Body, inputs: NetworkInputs
) -> None:
    network = made(body, uv_gaussians=False)
    said = run(network, inputs)
    assert (said["opacities"][:40] > 0.0).all()
    assert not said["opacities"][40:].any()
    assert said["colors"].shape == (300, 5)
    assert "uv.safetensors" not in component_files(network)


def test_template_features_are_those_at_the_vertices_pixels(
    body: Body, inputs: NetworkInputs, shot: tuple[Matte, Track]
) -> None:
    matte, track = shot
    crop = square_crop(matte, track.camera, 64)
    vertices, _ = body.vertices(track.pose)
    grids = uv_grids(body, CONFIG.decoder)
    expected, _ = project(vertices[grids.vertices], crop.camera)
    np.testing.assert_allclose(64 * inputs.photos[0].vertex_xy, expected, atol=1e-3)


def test_two_photos_of_the_same_view_change_nothing(body: Body, inputs: NetworkInputs) -> None:
    network = made(body)
    twice = replace(inputs, photos=inputs.photos * 2)
    one, two = run(network, inputs), run(network, twice)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=2e-5)


def test_the_refiner_begins_as_the_identity() -> None:
    refiner = Refiner(CONFIG.decoder)
    features, alpha = torch.rand(2, 10, 12, 5), torch.rand(2, 10, 12)
    rgb, cover = refiner(features, alpha)
    assert torch.equal(rgb, features[..., :3])
    assert torch.equal(cover, alpha)


def test_features_follow_their_gaussians(body: Body, inputs: NetworkInputs) -> None:
    bound = with_attributes(inputs.base, run(made(body), inputs))
    assert bound.features.shape == (300, 2)
    rows = np.array([5, 2, 299])
    assert np.array_equal(bound.take(rows).features, bound.features[rows])
    both = type(bound).concatenate([bound, bound.take(rows)])
    assert np.array_equal(both.features[300:], bound.features[rows])
    mixed = type(bound).concatenate([bound, inputs.base])
    assert np.array_equal(mixed.features[:300], bound.features)
    assert not mixed.features[300:].any()


def test_components_save_and_load_alone(body: Body, inputs: NetworkInputs, tmp_path: Path) -> None:
    network = made(body)
    save_network(network, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    parts = {"encoder", "projection", "template", "uv", "refiner"}
    assert names == {"config.json", *(f"{part}.safetensors" for part in parts)}
    again = load_network(tmp_path, body)
    for name, value in run(network, inputs).items():
        assert np.array_equal(run(again, inputs)[name], value)


@pytest.mark.parametrize("name", ["template.safetensors", "refiner.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "half", "other"])
def test_a_broken_component_is_named(body: Body, tmp_path: Path, name: str, damage: str) -> None:
    save_network(made(body), tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    elif damage == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes((tmp_path / "encoder.safetensors").read_bytes())
    with pytest.raises(LikenessError, match=name):
        load_network(tmp_path, body)


def test_both_forms_are_told_apart(body: Body, tmp_path: Path) -> None:
    save_config(CONFIG, tmp_path)
    assert load_config(NetworkConfig, tmp_path) == CONFIG
    differing = diff_configs(CONFIG, NETWORKS["tiny"])
    assert "decoder: GuavaConfig, not DecoderConfig" in differing
    wider = override_fields(CONFIG, {"decoder.channels": "9", "decoder.refiner": "off"})
    assert wider.decoder == replace(CONFIG.decoder, channels=9, refiner=False)
    with pytest.raises(LikenessError, match=r"decoder\.layers"):
        override_fields(CONFIG, {"decoder.layers": "3"})
    with pytest.raises(LikenessError, match="GUAVA"):
        export_onnx(made(body), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder.form": "other"}, "form"),
        ({"decoder.channels": "2"}, "at least 3"),
        ({"decoder.uv_levels": "9"}, "halved 9 times"),
    ],
)
def test_sizes_that_cannot_be(changes: dict[str, str], message: str) -> None:
    with pytest.raises(LikenessError, match=message) as error:
        override_fields(CONFIG, changes)
    assert error.value.remedy


def test_too_few_gaussians_for_the_template(body: Body) -> None:
    with pytest.raises(LikenessError, match="max_gaussians is 30"):
        blank_gaussians(body, uv_grids(body, CONFIG.decoder), 30)


def test_the_papers_sizes() -> None:
    guava = NETWORKS["guava"]
    assert guava.max_gaussians < 150_000
    assert (guava.decoder.channels, guava.decoder.map_size) == (32, 512)
    assert guava.encoder.frozen


def test_it_runs_as_an_avatars_network(body: Body, inputs: NetworkInputs, tmp_path: Path) -> None:
    network = made(body)
    save_network(network, tmp_path)
    runtime = load_runtime(tmp_path, body)
    found = runtime.run(inputs)
    said = run(network, inputs)
    np.testing.assert_allclose(found.colors, said["colors"][:, :3], atol=1e-6)
    np.testing.assert_allclose(found.features, said["colors"][:, 3:], atol=1e-5)
    assert runtime.warnings == ()
    assert "refiner.safetensors" in runtime.sha256


def test_avatars_are_bound_again_to_the_frames_that_draw_them(
    body: Body, shot: tuple[Matte, Track], tmp_path: Path
) -> None:
    """In the photo's pose they stand where whole triangles carry them."""
    network = made(body, face_frames=True)
    save_network(network, tmp_path)
    runtime = load_runtime(tmp_path, body)
    matte, track = shot
    bent = track.pose.with_joints(left_elbow=[0.0, -0.8, 0.0], spine2=[0.4, 0.0, 0.0])
    track = replace(track, pose=bent)
    lifted = blank_lift(runtime, body)
    result, _ = apply_network(lifted, runtime, [(matte, track)], 300)
    base = blank_gaussians(body, runtime.grids, 300)
    inputs = network_inputs(runtime.config, runtime.grids, [(matte, track)], body, base)
    vertices, _ = body.vertices(bent)
    expected = place_on_faces(runtime.run(inputs), vertices, body)
    found = place_gaussians(result.gaussians, vertices, body)
    np.testing.assert_allclose(found.means, expected.means, atol=1e-5)
    np.testing.assert_allclose(found.scales, expected.scales, rtol=1e-4)
    assert result.gaussians.features.shape == (300, 2)
    away = np.abs(place_gaussians(runtime.run(inputs), vertices, body).means - expected.means)
    assert away.max() > 1e-3
