"""The matte against the fitted body, on a synthetic person whose mask lost something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera, unproject
from likeness.engine.core.types import JOINT_INDEX, LikenessError, Matte, Observation, Portrait
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.matte_check import (
    BodyMap,
    body_parts,
    filter_landmarks,
    map_body,
    measure_loss,
    repair_matte,
)
from likeness.engine.imaging.matting import make_matte
from likeness.engine.pipeline import track
from likeness.engine.pipeline.build import build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.tracking.observation import observe
from PIL import Image
from scipy import ndimage

SIZE = 240
CAMERA = photo_camera(400.0, SIZE, SIZE)
# Part, left, top, right, bottom in pixels: the skin, a few pixels within the clothes.
TRUNK, HEAD, ARM = (0, 84, 102, 156, SIZE + 20), (1, 98, 42, 142, 108), (2, 170, 104, 192, 200)
SHOULDER = (2, 150, 104, 176, 122)


def body_of(*boxes: tuple[int, int, int, int, int]) -> BodyMap:
    """A flat body of boxes, drawn as the real one is."""
    corners, parts = [], []
    for part, left, top, right, bottom in boxes:
        corners += [(left, bottom), (right, bottom), (right, top), (left, top)]
        parts += [part] * 4
    f = np.array([[k, k + 1, k + 2, k, k + 2, k + 3] for k in range(0, len(corners), 4)])
    vertices = unproject(np.array(corners, float), np.full(len(corners), 2.0), CAMERA)
    body = map_body(vertices, f.reshape(-1, 3), np.array(parts), CAMERA)
    assert body is not None
    return body


class Person:
    """Clothes and hair around the boxes, before a patterned wall, and the networks' mask."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        y, x = np.mgrid[:SIZE, :SIZE] + 0.5
        solid = np.zeros((SIZE, SIZE), bool)
        for _, left, top, right, bottom in (TRUNK, HEAD, ARM, SHOULDER):
            solid |= (x > left - 4) & (x < right + 4) & (y > top - 4) & (y < bottom + 4)
        self.solid = solid
        skin, cloth = np.array([0.8, 0.6, 0.5]), np.array([0.2, 0.25, 0.6])
        person = np.where((y < 98)[..., None], skin, cloth)
        wall = np.array([0.35, 0.6, 0.4]) + 0.08 * np.sin(x / 9)[..., None]
        rgb = np.where(solid[..., None], person, wall) + rng.normal(0, 0.01, (SIZE, SIZE, 3))
        self.rgb = np.clip(rgb, 0, 1).astype(np.float32)
        self.portrait = Portrait(self.rgb, None, Path("person.png"))
        self.arm = (x > 158) & (y > 95)
        self.half = (x < 118) & (y > 112)

    def seen_without(self, gone: np.ndarray | None = None) -> Observation:
        keep = self.solid if gone is None else self.solid & ~gone
        mask = ndimage.gaussian_filter(keep.astype(np.float32), 2.0)
        pose = np.tile([120.0, 75.0], (33, 1)) + np.random.default_rng(0).normal(0, 8, (33, 2))
        return Observation(pose, np.zeros(33), np.zeros((33, 3)), mask)


@pytest.fixture(scope="module")
def person() -> Person:
    return Person()


@pytest.fixture(scope="module")
def body() -> BodyMap:
    return body_of(TRUNK, HEAD, SHOULDER, ARM)


def overlap(alpha: np.ndarray, solid: np.ndarray) -> float:
    kept = alpha > 0.5
    return float((kept & solid).sum() / (kept | solid).sum())


def test_a_healthy_matte_is_passed_on_in_silence(person: Person, body: BodyMap) -> None:
    seen = person.seen_without()
    good = make_matte(person.portrait, seen)
    kept, warnings = repair_matte(person.portrait, seen, good, body)
    assert kept is good
    assert warnings == ()
    assert measure_loss(good.alpha, body).share < 0.01


@pytest.mark.parametrize(("gone", "least"), [("arm", 8), ("half", 25)])
def test_what_the_mask_lost_comes_back(
    person: Person, body: BodyMap, gone: str, least: int
) -> None:
    seen = person.seen_without(getattr(person, gone))
    first = make_matte(person.portrait, seen)
    repaired, warnings = repair_matte(person.portrait, seen, first, body)
    before, after = overlap(first.alpha, person.solid), overlap(repaired.alpha, person.solid)
    assert before < 0.9
    assert after > 0.96
    core = body.core
    true_share = 100 * (core & ~(first.alpha > 0.5)).sum() / core.sum()
    assert true_share > least
    (warning,) = warnings
    assert f"had lost {round(true_share)} % of the person" in warning
    assert "repair" in warning
    assert "preview" in warning
    assert "still" not in warning


def test_one_limb_counts_though_it_is_little_of_the_body(body: BodyMap) -> None:
    alpha = np.ones((SIZE, SIZE), np.float32)
    alpha[160:, 165:] = 0  # the forearm alone
    forearm = measure_loss(alpha, body)
    alpha[:, 165:] = 0
    arm = measure_loss(alpha, body)
    assert 0 < forearm.share < arm.share < 0.2
    assert arm.too_much
    small = replace(body, part=np.where(body.part == 2, 0, body.part))
    alpha[:] = 1
    alpha[185:, 165:] = 0
    assert not measure_loss(alpha, small).too_much


def test_a_photo_with_its_own_transparency_is_only_warned_of(person: Person, body: BodyMap) -> None:
    forearm = person.arm & (np.arange(SIZE)[:, None] > 125)
    alpha = (person.solid & ~forearm).astype(np.float32)
    portrait = replace(person.portrait, alpha=alpha)
    seen = person.seen_without()
    first = make_matte(portrait, seen)
    kept, warnings = repair_matte(portrait, seen, first, body)
    assert kept is first
    (warning,) = warnings
    assert "own transparency" in warning


def test_a_body_that_only_reaches_over_the_wall_is_not_believed_beyond_its_core(
    person: Person,
) -> None:
    """The fit put a second arm where there is wall: said, and no more than the arm is gained."""
    body = body_of(TRUNK, HEAD, SHOULDER, ARM, (3, 40, 104, 62, 200), (3, 60, 104, 86, 122))
    seen = person.seen_without()
    first = make_matte(person.portrait, seen)
    result, warnings = repair_matte(person.portrait, seen, first, body)
    assert len(warnings) == 1
    gained = (result.alpha > 0.5) & (first.alpha < 0.5)
    far = ndimage.distance_transform_edt(body.inside < 0) > 8
    assert (gained & far).sum() < 20


def test_a_second_matte_that_is_no_better_is_not_taken(
    person: Person, body: BodyMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = person.seen_without(person.half)
    first = make_matte(person.portrait, seen)
    everything = Matte(np.ones((SIZE, SIZE), np.float32), person.rgb)
    for second in (first, everything):
        monkeypatch.setattr(
            "likeness.engine.imaging.matte_check.make_matte", lambda *_, m=second, **__: m
        )
        kept, warnings = repair_matte(person.portrait, seen, first, body)
        assert kept is first
        assert "did not help" in warnings[0]


def test_nothing_to_hold_against(person: Person) -> None:
    first = Matte(np.zeros((SIZE, SIZE), np.float32), person.rgb)
    vertices = np.array([[0, 0, -2.0], [0.1, 0, -2.0], [0, 0.1, -2.0]])
    f, unseen = np.array([[0, 1, 2]]), np.full(3, -2)
    nothing = map_body(vertices, f, unseen, CAMERA)
    assert nothing is None
    assert (
        map_body(vertices + np.array([50.0, 0, 0]), f, unseen + 4, CAMERA) is None
    )  # beside the picture
    assert repair_matte(person.portrait, person.seen_without(), first, nothing) == (first, ())


def test_the_picture_s_edge_is_no_outline(body: BodyMap) -> None:
    bottom, middle = body.inside[-1, SIZE // 2], body.inside[SIZE // 2 + 40, SIZE // 2]
    assert bottom == pytest.approx(middle, abs=1.5)


def test_parts_by_joints_and_what_was_not_seen() -> None:
    names = [
        "pelvis",
        "spine2",
        "left_eye_smplhf",
        "left_elbow",
        "right_index2",
        "left_foot",
        "right_ankle",
        "left_collar",
    ]
    weights = np.zeros((len(names), 55))
    weights[range(len(names)), [JOINT_INDEX[n] for n in names]] = 1
    seen = np.ones(55)
    assert body_parts(weights, seen).tolist() == [0, 0, 1, 2, 3, 4, 5, 0]
    seen[[JOINT_INDEX["pelvis"], JOINT_INDEX["left_eye_smplhf"]]] = 0
    seen[[JOINT_INDEX["spine2"], JOINT_INDEX["left_elbow"]]] = 0.3  # enough for a trunk alone
    assert body_parts(weights, seen).tolist() == [-1, 0, -2, -2, 3, 4, 5, 0]


def test_the_fit_is_not_squeezed_into_half_a_mask(person: Person) -> None:
    """The right shoulder and hip, seen and far outside the mask, say that the mask is wrong."""
    pose = np.full((33, 2), 120.0)
    pose[[11, 12, 23, 24]] = [(150, 112), (90, 112), (145, 230), (90, 230)]
    whole = replace(person.seen_without(), pose=pose, pose_visibility=np.ones(33))
    assert filter_landmarks(whole) is whole
    cut = replace(whole, person_mask=person.seen_without(person.half).person_mask)
    free = filter_landmarks(cut)
    assert (free.person_mask == 1).all()
    assert cut.person_mask.min() < 0.01
    assert "in part only" in free.warnings[-1]
    unsure = replace(cut, pose_visibility=np.full(33, 0.4))
    assert filter_landmarks(unsure) is unsure
    away = pose.copy()
    away[[12, 24]] = [(-40, 112), (90, SIZE + 30)]  # beyond the picture, no mask can show them
    beyond = replace(cut, pose=away)
    assert filter_landmarks(beyond) is beyond
    nobody = replace(whole, person_mask=np.zeros((SIZE, SIZE), np.float32))
    assert filter_landmarks(nobody) is nobody


@pytest.mark.soak
def test_a_build_mends_what_the_networks_lost(
    sample_portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        asset_path("body")
        asset_path("pose_landmark")
    except LikenessError as error:
        pytest.skip(str(error))
    path = tmp_path / "astronaut.png"
    Image.open(sample_portrait).convert("RGB").resize((512, 512)).save(path)
    tracked = track.track_portrait(path)
    person = tracked.body.personalised(tracked.track.betas)
    good, said = track.verify_matte(tracked, person)
    assert not any("background removal" in w for w in said)

    def blind(*args: object) -> Observation:
        seen = observe(*args)  # type: ignore[arg-type]
        mask = seen.person_mask.copy()
        below = int(seen.face[:, 1].max()) if seen.face is not None else 160
        mask[below:, : int(seen.pose[11:13, 0].mean())] = 0
        return replace(seen, person_mask=mask)

    monkeypatch.setattr(track, "observe", blind)
    result = build_avatar(path, BuildOptions(max_gaussians=5000, refine="off"))
    lost = make_matte(result.portrait, result.observation).alpha
    truth = good.alpha > 0.5
    assert any("in part only" in w for w in result.report["warnings"])
    assert any("used to repair it" in w for w in result.report["warnings"])
    assert overlap(result.matte.alpha, truth) > overlap(lost, truth) + 0.1
    assert overlap(result.matte.alpha, truth) > 0.81
