"""What swings on an avatar: found from its file, bound without a change, moved with its poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body.extension import BodyPiece, extend_body
from likeness.engine.body.skinning import skin_vertices
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    PARTS,
    Avatar,
    BoundGaussians,
    LikenessError,
    Pose,
)
from likeness.engine.formats.avatar import avatar_from_bytes, avatar_to_bytes
from likeness.engine.gaussians.binding import place_gaussians
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.gaussians.swing_rig import make_swing_rig
from likeness.engine.motion.swing import swing_links, swing_vertices
from likeness.engine.motion.swing_options import SwingOptions

from ...blender.hair import with_hair

RATE = 30.0


def bald() -> Avatar:
    rng = np.random.default_rng(1)
    body = make_synthetic_body(0)
    body = body.personalised(np.zeros(body.num_betas))
    count = 200
    splats = BoundGaussians(
        triangle=rng.integers(0, len(body.f), count).astype(np.int32),
        bary=rng.dirichlet((1, 1, 1), count).astype(np.float32),
        offset=rng.normal(0, 0.01, (count, 3)).astype(np.float32),
        quats=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        scales=np.tile(np.float32([0.01, 0.01, 0.001]), (count, 1)),
        opacities=np.full(count, 0.9, np.float32),
        colors=np.full((count, 3), 0.5, np.float32),
        layer=np.zeros(count, np.uint8),
    )
    pose = Pose.rest(body.num_expression)
    return Avatar(body, splats, pose, photo_camera(200, 128, 128), "full")


def in_skirt(avatar: Avatar) -> Avatar:
    """The same person in a cone around the legs."""
    rings, columns = 8, 24
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    down = np.linspace(0.0, 1.0, rings)[:, None]
    hips = avatar.body.J_template[[JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]].mean(0)
    wide = 0.2 + 0.15 * down
    points = np.stack(
        [wide * np.sin(turn), hips[1] + 0.1 - 0.5 * down + 0 * turn, wide * np.cos(turn)], -1
    ).reshape(-1, 3)
    r, c = np.mgrid[: rings - 1, :columns]
    a, b = r * columns + c, r * columns + (c + 1) % columns
    f = np.stack([np.stack([a, a + columns, b], -1), np.stack([b, a + columns, b + columns], -1)])
    f = f.reshape(-1, 3)
    weights = np.zeros((len(points), NUM_JOINTS))
    left = np.clip(0.5 + points[:, 0] / 0.4, 0, 1)
    leg = np.repeat(np.linspace(0, 0.8, rings), columns)
    weights[:, 0], weights[:, 1], weights[:, 2] = 1 - leg, leg * left, leg * (1 - left)
    piece = BodyPiece("skirt", points, f, weights, np.ones((1, 2)), 0 * f, 1.0)
    return replace(avatar, body=extend_body(avatar.body, piece))


@pytest.fixture(scope="module")
def person() -> Avatar:
    return with_hair(in_skirt(bald()))


def shaking(count: int = 45) -> list[Pose]:
    """Poses of someone who turns the head and sways."""
    rest = Pose.rest(make_synthetic_body(0).num_expression)
    out = []
    for k in range(count):
        turn = 0.5 * np.sin(0.3 * k)
        pose = rest.with_joints(
            head=[0, turn, 0], spine2=[0, 0, -0.2 * turn], left_hip=[-abs(turn), 0, 0]
        )
        out.append(replace(pose, transl=np.array([0.1 * turn, 0.0, 0.02 * k])))
    return out


def test_links_at_rest_change_nothing(person: Avatar) -> None:
    swung, rig, binding = make_swing_rig(person)
    assert [group.name for group in rig.groups] == ["hair", "skirt"]
    assert rig.weights.sum(1) == pytest.approx(1.0)
    still = np.tile(np.eye(3), (rig.links, 1, 1)), np.zeros((rig.links, 3))
    for pose in shaking()[::10]:
        plain, _ = swung.body.vertices(pose)
        assert np.abs(rig.vertices(pose, *still) - plain).max() < 1e-6
        before = pose_avatar(person, pose)
        after = place_gaussians(swung.gaussians, rig.vertices(pose, *still), swung.body)
        assert np.abs(before.means - after.means).max() < 1e-5
        assert np.abs(before.scales - after.scales).max() < 1e-6
    old = len(person.body.v_template)
    assert (swung.body.v_template[:old] == person.body.v_template).all()
    assert (swung.body.f[: len(person.body.f)] == person.body.f).all()
    assert len(binding.source) == len(swung.body.v_template) - old > 0


def test_an_avatar_at_rest_stays_exactly_where_it_was_drawn(person: Avatar) -> None:
    _, rig, _ = make_swing_rig(person)
    poses = [person.pose] * 10
    vertices = swing_vertices(rig, poses, RATE, SwingOptions())
    plain, _ = rig.body.vertices(person.pose)
    for frame in range(10):
        assert np.abs(vertices(frame) - plain).max() < 1e-6


def test_only_loose_hair_and_the_skirt_below_the_hips_move(person: Avatar) -> None:
    swung, rig, _ = make_swing_rig(person)
    poses = shaking()
    vertices = swing_vertices(rig, poses, RATE, SwingOptions())
    moved = np.zeros(len(person.gaussians))
    cloth = np.zeros(len(person.body.v_template))
    for frame in range(len(poses)):
        plain = pose_avatar(person, poses[frame])
        now = place_gaussians(swung.gaussians, vertices(frame), swung.body)
        moved = np.maximum(moved, np.linalg.norm(now.means - plain.means, axis=1))
        base, _ = person.body.vertices(poses[frame])
        cloth = np.maximum(cloth, np.linalg.norm(vertices(frame)[: len(base)] - base, axis=1))
    hair = person.gaussians.part == PARTS.index("hair")
    height = pose_avatar(person, person.pose).means[:, 1]
    jaw = person.body.J_template[JOINT_INDEX["jaw"], 1]
    assert moved[~hair].max() < 1e-5
    assert moved[hair & (height > jaw)].max() < 1e-5  # it stays on the scalp
    assert np.quantile(moved[hair & (height < jaw - 0.2)], 0.25) > 0.003
    assert 0.03 < moved.max() < 0.3
    # It fades in: hair a centimetre apart in height never parts by much more than that.
    order = np.argsort(height[hair])
    steps = np.abs(np.diff(np.convolve(moved[hair][order], np.ones(40) / 40, "valid")))
    assert steps.max() < 0.01
    rows = np.unique(person.body.f[person.body.face_part == person.body.part_names.index("skirt")])
    top = person.body.v_template[rows, 1] > person.body.v_template[rows, 1].max() - 0.05
    assert cloth[rows[top]].max() < 1e-5
    assert cloth[rows].max() > 0.02
    assert np.delete(cloth, rows).max() < 1e-5


def test_links_agree_with_bones_skinned_by_hand(person: Avatar) -> None:
    """A link's bone at joint j is W T_j: skinning with all of them is blending what they do."""
    _, rig, _ = make_swing_rig(person)
    poses = shaking(12)
    pose = poses[-1]
    v, _, R, t = rig.body.rest_and_transforms(pose)
    turn, move = swing_links(rig, np.tile(R, (12, 1, 1, 1)), np.tile(t, (12, 1, 1)), RATE,
                             SwingOptions(gravity=2.0))  # fmt: skip
    turn, move = turn[-1], move[-1]
    swung = rig.vertices(pose, turn, move)
    for row, weights in list(zip(rig.rows, rig.weights, strict=True))[::97]:
        place = np.zeros(3)
        for j in range(NUM_JOINTS):
            place += weights[j] * (R[j] @ v[row] + t[j])
        for k, (link, joint) in enumerate(zip(rig.link, rig.joint, strict=True)):
            carried = R[joint] @ v[row] + t[joint]
            place += weights[NUM_JOINTS + k] * (turn[link] @ carried + move[link])
        assert np.abs(place - swung[row]).max() < 1e-6
    assert skin_vertices(v, rig.body.weights, R, t).shape == swung.shape


def test_hair_stays_out_of_the_body(person: Avatar) -> None:
    """Nodes come no nearer to a capsule than it is thick, or than the pose has them."""
    _, rig, _ = make_swing_rig(person)
    hair = rig.groups[0]
    poses = shaking()
    moved = [rig.body.rest_and_transforms(pose)[2:] for pose in poses]
    R, t = (np.stack(part) for part in zip(*moved, strict=True))
    turn, move = swing_links(rig, R, t, RATE, SwingOptions(amount=2.0))
    count, nodes = hair.nodes.shape[:2]
    for frame in range(0, len(poses), 4):
        held = hair.held
        base = np.einsum("cnj,jab,cnb->cna", held, R[frame], hair.nodes)
        base += np.einsum("cnj,ja->cna", held, t[frame])
        link = np.arange(hair.links).reshape(count, nodes - 1)
        ends = np.einsum("ckab,ckb->cka", turn[frame, link], base[:, 1:]) + move[frame, link]
        for m, radius in enumerate(hair.capsules.radii):
            a, b = (
                R[frame, joint[m]] @ points[m] + t[frame, joint[m]]
                for points, joint in (
                    (hair.capsules.starts, hair.capsules.start_joint),
                    (hair.capsules.ends, hair.capsules.end_joint),
                )
            )

            def distance(points: np.ndarray, a: np.ndarray = a, b: np.ndarray = b) -> np.ndarray:  # type: ignore[type-arg]
                share = np.clip((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-12), 0, 1)
                return np.asarray(np.linalg.norm(points - a - share[..., None] * (b - a), axis=-1))

            least = np.minimum(radius, distance(base[:, 1:]))
            assert (distance(ends) - least).min() > -0.006


def test_what_is_stored_is_an_avatar_again(person: Avatar) -> None:
    swung, rig, _ = make_swing_rig(person)
    loaded = avatar_from_bytes(avatar_to_bytes(swung), "memory")
    again, second, binding = make_swing_rig(loaded)
    assert len(binding.source) == 0  # its triangles are there
    assert len(again.body.v_template) == len(swung.body.v_template)
    assert second.links == rig.links
    assert (second.rows == rig.rows).all()


def test_hair_on_skin_looks_the_same_in_the_photo_and_is_copied_once() -> None:
    person = with_hair(bald(), on_skin=True)
    turns = {"left_shoulder": [0, 0, -0.9], "head": [0.2, 0.3, 0], "spine3": [0.2, 0, 0]}
    bent = person.pose.with_joints(**turns)
    person = replace(person, pose=bent)
    swung, _, binding = make_swing_rig(person)
    before, after = (pose_avatar(one, bent) for one in (person, swung))
    assert len(binding.rows) > 200
    assert np.abs(before.means - after.means).max() < 1e-6
    assert np.abs(np.abs((before.quats * after.quats).sum(1)) - 1.0).max() < 1e-5
    again, _, second = make_swing_rig(swung)
    assert len(second.source) < 0.05 * len(binding.source)
    kept = np.setdiff1d(np.arange(len(person.gaussians)), second.rows)
    assert (again.gaussians.offset[kept] == swung.gaussians.offset[kept]).all()


def test_a_stray_splat_costs_no_memory(person: Avatar) -> None:
    """Files may hold splats that lie kilometres away."""
    hair = np.flatnonzero(person.gaussians.part == PARTS.index("hair"))
    offset = person.gaussians.offset.copy()
    offset[hair[-1]] = 9e3
    stray = replace(person, gaussians=replace(person.gaussians, offset=offset))
    assert make_swing_rig(stray)[1].links == make_swing_rig(person)[1].links


def test_each_chain_is_drawn_after_the_two_beside_it(person: Avatar) -> None:
    for chains in (4, 12):
        with overridden_settings({"swing.rig.skirt_chains": chains}):
            coupling = make_swing_rig(person)[1].groups[1].coupling
        assert coupling.shape == (chains, chains)
        assert ((coupling > 0).sum(1) == 2).all()


def test_neither_long_hair_nor_a_skirt(person: Avatar) -> None:
    with pytest.raises(LikenessError, match="neither long hair nor a skirt"):
        make_swing_rig(bald())
    short = with_hair(bald())
    jaw = short.body.J_template[JOINT_INDEX["jaw"], 1]
    high = pose_avatar(short, short.pose).means[:, 1] > jaw - 0.05
    with pytest.raises(LikenessError, match="below the chin"):
        make_swing_rig(replace(short, gaussians=short.gaussians.take(high)))
    only = make_swing_rig(in_skirt(bald()))
    assert [group.name for group in only[1].groups] == ["skirt"]
    assert len(only[2].source) == 0


def test_dark_straps_that_pass_for_hair_stay(person: Avatar) -> None:
    swung, rig, _ = make_swing_rig(person)
    hair = np.flatnonzero(person.gaussians.part == PARTS.index("hair"))
    rest = pose_avatar(person, person.pose).means
    low = hair[rest[hair, 1] < person.body.J_template[JOINT_INDEX["jaw"], 1] - 0.2]
    offset = person.gaussians.offset.copy()
    inverse = np.argsort(np.abs(rest[low, 0] - 0.1))[:100]
    strap = low[inverse]
    offset[strap] *= 2.5  # far off the rest of the hair
    apart = replace(person, gaussians=replace(person.gaussians, offset=offset))
    _, _, binding = make_swing_rig(apart)
    assert np.isin(strap, binding.rows).mean() < 0.5
    assert np.isin(strap, make_swing_rig(person)[2].rows).mean() > 0.9
    assert rig.links
    assert len(swung.gaussians) == len(person.gaussians)


def test_hair_for_tests_suits_avatars_with_levels_of_detail() -> None:
    bare = bald()
    built = replace(bare, lod_start=np.zeros(len(bare.gaussians), np.float32))
    read = avatar_from_bytes(avatar_to_bytes(with_hair(built)), "memory")
    assert len(read.gaussians) > len(bare.gaussians)
