"""Each loss against numbers worked out by hand or in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import LAYERS, BoundGaussians, LikenessError
from likeness.engine.gaussians.refine.regularisers import GLOVE, PATCHES
from likeness.engine.network.tensor_batch import GaussianAttributes
from likeness.engine.training.loss_inputs import DrawnView, LossWeights
from likeness.engine.training.losses import (
    MAX_SCALE,
    color_loss,
    composite_over,
    hand_loss,
    isotropy_loss,
    offset_loss,
    opacity_loss,
    perceptual_distances,
    photometric_l1,
    scale_loss,
    silhouette_l1,
    total_loss,
)
from likeness.engine.training.regions import SampleRegions, sample_regions
from torch import Tensor

NO_WEIGHTS = LossWeights(**{field.name: 0.0 for field in fields(LossWeights)})
NAN = float("nan")


def regions(
    patch: list[int], hand: Sequence[int] = (), face: Sequence[int] = (), valid: int | None = None
) -> SampleRegions:
    """Of as many Gaussians as ``patch`` has; hand and face name rows, the first ``valid`` count."""
    ids, rows = torch.tensor(patch, dtype=torch.int64), torch.arange(len(patch))
    in_hand, in_face = torch.isin(rows, torch.tensor(hand)), torch.isin(rows, torch.tensor(face))
    return SampleRegions(
        ids,
        max(patch, default=-1) + 1,
        in_hand,
        in_face,
        ids[in_hand].unique(),
        ids[in_face].unique(),
        rows < (len(patch) if valid is None else valid),
        torch.ones(len(patch)),
    )


def tensor(values: list) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


ALL = torch.ones(2, dtype=torch.bool)


def test_pixels() -> None:
    rendered = tensor([[[0.0, 0.5, 1.0], [0.2, 0.2, 0.2]]])
    target = tensor([[[0.3, 0.5, 0.4], [0.2, 0.1, 0.4]]])
    value = photometric_l1(rendered, target)
    assert value.item() == pytest.approx((0.3 + 0 + 0.6 + 0 + 0.1 + 0.2) / 6)


def test_silhouettes() -> None:
    value = silhouette_l1(tensor([[1.0, 0.0], [0.5, 0.0]]), tensor([[1.0, 0.4], [0.0, 0.0]]))
    assert value.item() == pytest.approx(0.9 / 4)


def test_truth_over_a_backdrop() -> None:
    rgba = tensor([[[1.0, 0.0, 0.5, 0.25]]])
    shown = composite_over(rgba, tensor([0.2, 0.4, 0.6]))
    expected = [0.25 + 0.75 * 0.2, 0.75 * 0.4, 0.125 + 0.75 * 0.6]
    torch.testing.assert_close(shown[0, 0], tensor(expected))
    pattern = torch.rand(1, 1, 3)
    torch.testing.assert_close(composite_over(tensor([[[1.0, 0, 0, 0.0]]]), pattern), pattern)


def test_a_measure_is_given_pictures_as_networks_take_them() -> None:
    seen = []

    def measure(a: Tensor, b: Tensor) -> Tensor:
        seen.extend([a, b])
        return (a - b).abs().mean((1, 2, 3))

    rendered = torch.full((2, 4, 5, 3), 1.5)
    value = perceptual_distances(rendered, torch.zeros(2, 4, 5, 3), measure)
    assert seen[0].shape == (2, 3, 4, 5)
    assert value.tolist() == [1.0, 1.0], "brighter than white is white"


def test_offsets_count_from_the_lift_or_from_zero() -> None:
    offset = tensor([[0.01, 0.02, -0.02], [0.0, 0.03, 0.0]])
    assert offset_loss(offset, ALL).item() == pytest.approx((9e-4 + 9e-4) / 2)
    start = tensor([[0.01, 0.0, -0.02], [0.0, 0.03, 0.01]])
    assert offset_loss(offset, ALL, start).item() == pytest.approx((4e-4 + 1e-4) / 2)


def test_large_splats() -> None:
    """Equation 9: only the largest axis, only beyond the bound."""
    scales = tensor([[0.001, 3 * MAX_SCALE, 0.0001], [0.005, MAX_SCALE, 0.0005]])
    assert scale_loss(scales, ALL).item() == pytest.approx(math.log(3) ** 2 / 2, rel=1e-5)
    lifted = tensor([[2 * MAX_SCALE, 0.001, 0.001], [0.001, 0.001, 0.0001]])
    expected = math.log(3 / 2) ** 2 / 2
    assert scale_loss(scales, ALL, lifted).item() == pytest.approx(expected, rel=1e-5)
    assert scale_loss(lifted, ALL, lifted).item() == 0.0


def test_long_splats() -> None:
    """Equation 10: both ways, only beyond the ratio, whatever the third axis is."""
    scales = tensor([[0.012, 0.001, 1e-5], [0.002, 0.006, 0.5]])
    value = isotropy_loss(scales, ALL, ratio=3.0)
    assert value.item() == pytest.approx(math.log(12 / 3) ** 2 / 2, rel=1e-5)
    lifted = tensor([[0.001, 0.006, 1e-4], [0.001, 0.001, 1e-4]])
    value = isotropy_loss(scales, ALL, lifted, ratio=3.0)
    assert value.item() == pytest.approx(math.log(12 / 6) ** 2 / 2, rel=1e-5)
    assert isotropy_loss(lifted, ALL, lifted).item() == 0.0


def test_patches_of_opacity() -> None:
    """Equation 13: patches of 1, 2 and 3 splats with the means 0.5, 0.9 and 0.8."""
    opacities = tensor([0.5, 0.8, 1.0, 0.7, 0.8, 0.9])
    where = regions([1, 0, 0, 2, 2, 2])
    assert opacity_loss(opacities, where).item() == pytest.approx((0.09 + 0.01 + 0) / 3)
    value = opacity_loss(opacities, where, from_below=True)
    assert value.item() == pytest.approx(0.09 / 3), "what is denser stays"


HANDS = [[0.7, 0.5, 0.4], [0.5, 0.5, 0.4], [0.9, 0.6, 0.6]]  # the first two in one patch
FACES = [[0.8, 0.6, 0.6], [0.6, 0.6, 0.6], [0.5, 0.4, 0.4], [0.3, 0.3, 0.3]]  # two patches
REST = [[0.1, 0.9, 0.1]]
PEOPLE = tensor(HANDS + FACES + REST)
WHERE = regions([0, 0, 1, 2, 2, 3, 3, 4], hand=[0, 1, 2], face=[3, 4, 5, 6])


def test_hands_take_after_the_nearest_patch_of_the_face() -> None:
    """Equation 12: means (0.6, 0.5, 0.4) and (0.9, 0.6, 0.6) of the hands; (0.7, 0.6, 0.6) and
    (0.4, 0.35, 0.35) of the face; both hands are nearest to the first."""
    expected = ((0.01 + 0.01 + 0.04) + (0.04 + 0 + 0)) / 2
    assert hand_loss(PEOPLE, WHERE).item() == pytest.approx(expected, rel=1e-5)


def test_the_face_does_not_follow_the_hands() -> None:
    colors = PEOPLE.clone().requires_grad_()
    hand_loss(colors, WHERE).backward()
    assert colors.grad is not None
    assert (colors.grad[:2] != 0).all()
    assert not colors.grad[3:].any()
    # d/dc of one of two patches, each splat half of its mean: 2 * difference / 2 / 2.
    torch.testing.assert_close(colors.grad[0], tensor([-0.1, -0.1, -0.2]) * 2 / 2 / 2)


def test_gloves_are_left_alone() -> None:
    gloved = PEOPLE.clone()
    gloved[2] = tensor([0.7, 0.6, 0.6 - 1.1 * GLOVE])
    alone = hand_loss(gloved, WHERE, start=gloved)
    assert alone.item() == pytest.approx(0.06, rel=1e-4), "only the first patch"
    gloved[2, 2] = 0.6 - 0.9 * GLOVE
    both = hand_loss(gloved, WHERE, start=gloved)
    assert both.item() == pytest.approx((0.06 + (0.9 * GLOVE) ** 2) / 2, rel=1e-4)
    gloved[2, 2] = 0.6 - 1.1 * GLOVE
    bare = hand_loss(gloved, WHERE)
    assert bare.item() == pytest.approx((0.06 + (1.1 * GLOVE) ** 2) / 2, rel=1e-4)


@pytest.mark.parametrize("missing", ["hands", "face", "valid", "all"])
def test_nothing_to_act_on_costs_nothing(missing: str) -> None:
    where = WHERE
    if missing == "hands":
        where = regions(WHERE.patch.tolist(), face=[3, 4, 5, 6])
    elif missing == "face":
        where = regions(WHERE.patch.tolist(), hand=[0, 1, 2])
    elif missing == "valid":
        where = regions(WHERE.patch.tolist(), hand=[0, 1, 2], face=[3, 4, 5, 6], valid=0)
    else:
        where = regions([])
    count = len(where.patch)
    colors = PEOPLE[:count].clone().requires_grad_()
    for start in (None, PEOPLE[:count]):
        assert hand_loss(colors, where, start).item() == 0.0
    total = hand_loss(colors, where) + (0 * colors).sum()
    total.backward()
    assert torch.isfinite(colors.grad).all()
    if not where.valid.any():
        numbers = torch.rand(count, 3)
        assert opacity_loss(numbers[:, 0], where).item() == 0.0
        for loss in (offset_loss, scale_loss, isotropy_loss):
            assert loss(numbers, where.valid).item() == 0.0


@pytest.fixture(scope="module")
def body() -> Body:
    return make_synthetic_body().personalised(np.zeros(4))


def splats(body: Body, count: int = 300, seed: int = 0) -> tuple[BoundGaussians, np.ndarray]:
    """Some everywhere on the body, and their places in the atlas."""
    rng = np.random.default_rng(seed)
    triangle = rng.integers(len(body.f), size=count).astype(np.int32)
    bary = rng.dirichlet(np.ones(3), count).astype(np.float32)
    scales = rng.uniform(0.002, 0.05, (count, 3)).astype(np.float32)
    bound = BoundGaussians(
        triangle,
        bary,
        rng.normal(scale=0.01, size=(count, 3)).astype(np.float32),
        np.tile([1, 0, 0, 0], (count, 1)).astype(np.float32),
        scales,
        rng.uniform(0.1, 1.0, count).astype(np.float32),
        rng.uniform(0.4, 0.8, (count, 3)).astype(np.float32),
        rng.integers(len(LAYERS), size=count).astype(np.uint8),
    )
    uv = np.einsum("nk,nkd->nd", bary, body.atlas_vt[body.atlas_ft[triangle]])
    return bound, uv.astype(np.float32)


def made(bound: BoundGaussians, seed: int | None = None) -> GaussianAttributes:
    """A network's output: the lift's own, or changed at random."""
    base = GaussianAttributes(
        *(torch.tensor(getattr(bound, name)) for name in GaussianAttributes._fields)
    )
    if seed is None:
        return base
    generator = torch.Generator().manual_seed(seed)
    change = GaussianAttributes(*(torch.rand(values.shape, generator=generator) for values in base))
    return GaussianAttributes(
        base.offset + 0.01 * change.offset,
        base.quats,
        base.scales * (0.5 + 4 * change.scales),
        base.opacities * change.opacities,
        (base.colors + 0.2 * change.colors).clamp(0, 1),
    )


def test_regions_of_a_body(body: Body) -> None:
    bound, uv = splats(body)
    found = sample_regions(body, bound, uv)
    assert found.valid.all()
    on_face = set(body.landmarks.face_triangle.tolist())
    cells: dict[int, set[tuple[int, ...]]] = {}
    fingers = 0
    for i, (triangle, layer) in enumerate(zip(bound.triangle, bound.layer)):
        cell = (int(layer), int(uv[i, 1] * PATCHES), int(uv[i, 0] * PATCHES))
        cells.setdefault(int(found.patch[i]), set()).add(cell)
        assert bool(found.face[i]) == (int(triangle) in on_face)
        joint = int(body.weights[body.f[triangle, 0]].argmax())
        if joint >= 25:
            assert bool(found.hand[i]) == (LAYERS[layer] == "core")
            fingers += int(found.hand[i])
    assert fingers > 5
    assert all(len(of_one) == 1 for of_one in cells.values())
    assert len({next(iter(c)) for c in cells.values()}) == found.patches == len(cells)
    assert set(found.hand_patches.tolist()) == set(found.patch[found.hand].tolist())
    assert set(found.face_patches.tolist()) == set(found.patch[found.face].tolist())


def test_a_body_without_landmarks_has_no_face(body: Body) -> None:
    bound, uv = splats(body)
    found = sample_regions(replace(body, landmarks=None), bound, uv)
    assert not found.face.any()
    assert hand_loss(torch.rand(len(bound), 3), found).item() == 0.0


def attribute_terms(
    now: GaussianAttributes, base: GaussianAttributes | None, where: SampleRegions
) -> dict[str, float]:
    weights = replace(NO_WEIGHTS, offset=1, scale=1, isotropy=1, hands=1, opacity=1)
    _, values = total_loss([view()], now, base, where, weights)
    return {name: value.item() for name, value in values.items()}


def view(size: tuple[int, int] = (6, 4), seed: int = 0) -> DrawnView:
    draw = torch.Generator().manual_seed(seed)
    rgb, target = (torch.rand(*size, 3, generator=draw) for _ in range(2))
    alpha, target_alpha = (torch.rand(size, generator=draw) for _ in range(2))
    return DrawnView(rgb, alpha, target, target_alpha)


@pytest.mark.parametrize("residual", [True, False])
def test_order_padding_and_number_change_nothing(body: Body, residual: bool) -> None:
    bound, uv = splats(body)
    where = sample_regions(body, bound, uv)
    now, base = made(bound, seed=1), made(bound) if residual else None
    expected = attribute_terms(now, base, where)
    assert set(expected) == {"offset", "scale", "isotropy", "hands", "opacity"}
    assert all(value > 0 for value in expected.values())

    order = np.random.default_rng(3).permutation(len(bound))
    shuffled = sample_regions(body, bound.take(order), uv[order])
    other = None if base is None else GaussianAttributes(*(v[order] for v in base))
    got = attribute_terms(GaussianAttributes(*(v[order] for v in now)), other, shuffled)
    assert got == pytest.approx(expected, rel=1e-5)

    rubbish = GaussianAttributes(*(torch.cat([v, torch.full_like(v[:50], NAN)]) for v in now))
    other = (
        None if base is None else GaussianAttributes(*(torch.cat([v, 0 * v[:50]]) for v in base))
    )
    assert attribute_terms(rubbish, other, where) == pytest.approx(expected, rel=1e-6)

    twice = sample_regions(body, BoundGaussians.concatenate([bound, bound]), np.tile(uv, (2, 1)))
    other = None if base is None else GaussianAttributes(*(torch.cat([v, v]) for v in base))
    got = attribute_terms(GaussianAttributes(*(torch.cat([v, v]) for v in now)), other, twice)
    assert got == pytest.approx(expected, rel=1e-5)


def test_padding_gets_no_gradient_and_the_rest_does(body: Body) -> None:
    bound, uv = splats(body)
    where = sample_regions(body, bound, uv)
    leaves = GaussianAttributes(
        *(torch.cat([v, torch.full_like(v[:20], NAN)]).requires_grad_() for v in made(bound, 2))
    )
    base = GaussianAttributes(*(torch.cat([v, 0 * v[:20]]) for v in made(bound)))
    weights = replace(NO_WEIGHTS, offset=1, scale=1, isotropy=1, hands=1, opacity=1)
    total_loss([view()], leaves, base, where, weights)[0].backward()
    assert leaves.quats.grad is None, "no term is about rotations"
    for leaf in leaves._replace(quats=leaves.offset):
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad[:300].any()
        assert not leaf.grad[300:].any()
    assert not leaves.colors.grad[:300][~where.hand].any()


def test_the_lift_itself_costs_only_what_other_terms_want(body: Body) -> None:
    bound, uv = splats(body)
    values = attribute_terms(made(bound), made(bound), sample_regions(body, bound, uv))
    assert values["offset"] == values["scale"] == values["isotropy"] == 0.0


def brightness(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean((1, 2, 3)) - b.mean((1, 2, 3))).abs()


@pytest.mark.parametrize("sizes", [[(6, 4)], [(6, 4)] * 3, [(6, 4), (5, 5)]])
def test_total(body: Body, sizes: list[tuple[int, int]]) -> None:
    """Equations 5 to 7 from the single terms; the reference counts as much as all targets."""
    bound, uv = splats(body)
    where, now, base = sample_regions(body, bound, uv), made(bound, 4), made(bound)
    views = [view(size, seed) for seed, size in enumerate(sizes)]
    shares = [1.0] + [1 / (len(views) - 1)] * (len(views) - 1) if len(views) > 1 else [1.0]
    weights = LossWeights(0.9, 0.7, 0.3, 11.0, 0.5, 0.6, 0.8, 0.4, 0.2)
    seen = torch.rand(len(bound), 4, generator=torch.Generator().manual_seed(3))
    single = {
        "l1": sum(k * (v.rgb - v.target).abs().mean() for k, v in zip(shares, views)),
        "perceptual": sum(
            k * (v.rgb.mean() - v.target.mean()).abs() for k, v in zip(shares, views)
        ),
        "silhouette": sum(
            k * (v.alpha - v.target_alpha).abs().mean() for k, v in zip(shares, views)
        ),
        "offset": offset_loss(now.offset, where.valid, base.offset),
        "scale": scale_loss(now.scales, where.valid, base.scales),
        "isotropy": isotropy_loss(now.scales, where.valid, base.scales),
        "hands": hand_loss(now.colors, where, base.colors),
        "opacity": opacity_loss(now.opacities, where, from_below=True),
        "colors": color_loss(now.colors, seen, where),
    }
    total, values = total_loss(views, now, base, where, weights, brightness, seen)
    assert {k: v.item() for k, v in values.items()} == pytest.approx(
        {k: float(v) for k, v in single.items()}, rel=1e-5
    )
    expected = sum(getattr(weights, name) * float(value) for name, value in single.items())
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert not any(value.requires_grad for value in values.values())


def test_terms_without_weight_are_left_out(body: Body) -> None:
    bound, uv = splats(body)
    where, now = sample_regions(body, bound, uv), made(bound)
    _, values = total_loss([view()], now, None, where, LossWeights(perceptual=0.0))
    assert "silhouette" not in values
    assert "perceptual" not in values
    with pytest.raises(ValueError, match="not what it needs"):
        total_loss([view()], now, None, where, LossWeights())
    with pytest.raises(ValueError, match="reference"):
        total_loss([], now, None, where, NO_WEIGHTS)


@pytest.mark.parametrize("weight", [-0.1, NAN, math.inf])
def test_weights_that_mean_nothing(weight: float) -> None:
    with pytest.raises(LikenessError, match="loss 'hands' is"):
        LossWeights(hands=weight)


def test_terms_on_pictures_do_not_depend_on_their_size(body: Body) -> None:
    bound, uv = splats(body)
    where, now = sample_regions(body, bound, uv), made(bound)
    weights = replace(NO_WEIGHTS, l1=1, perceptual=1, silhouette=1)
    small = view()
    large = DrawnView(*(v.repeat_interleave(3, 0).repeat_interleave(3, 1) for v in small[:4]))
    values = [total_loss([v], now, None, where, weights, brightness)[0] for v in (small, large)]
    torch.testing.assert_close(values[0], values[1])


def test_half_precision_stays_finite_and_near(body: Body) -> None:
    """What comes out of a network under autocast is bfloat16; the losses are not."""
    bound, uv = splats(body)
    where, now, base = sample_regions(body, bound, uv), made(bound, 5), made(bound)
    exact, _ = total_loss([view()], now, base, where, LossWeights(), brightness)
    rough = GaussianAttributes(*(v.bfloat16().requires_grad_() for v in now))
    with torch.autocast("cpu", torch.bfloat16):
        total, values = total_loss([view()], rough, base, where, LossWeights(), brightness)
    assert total.dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in values.values())
    assert total.item() == pytest.approx(exact.item(), rel=0.02)
    total.backward()
    assert all(torch.isfinite(leaf.grad).all() for leaf in rough._replace(quats=rough.offset))
