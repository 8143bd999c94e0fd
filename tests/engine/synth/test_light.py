"""Environments and their spherical harmonics, against integrals by brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core import spherical_harmonics
from likeness.engine.core.types import LikenessError
from likeness.engine.imaging import environment
from likeness.engine.synth import environment_light, sky
from likeness.engine.synth.person_parts import Lighting

PLAIN = Lighting(None, 3, 0.0, 1.0)


def uniform(value: float = 1.0, height: int = 32) -> np.ndarray:
    return np.full((height, 2 * height, 3), value, np.float32)


def irradiance(picture: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The integral of radiance times cosine, pixel by pixel."""
    height = len(picture)
    theta = (np.arange(height) + 0.5) / height * np.pi
    total = np.zeros(3)
    for row in range(height):
        area = np.sin(theta[row]) * np.sin(np.pi / height / 2) * 2 * np.pi / height
        for column in range(2 * height):
            turn = 2 * np.pi * ((column + 0.5) / (2 * height) - 0.5)
            towards = np.array(
                [
                    np.sin(theta[row]) * np.cos(turn),
                    np.cos(theta[row]),
                    np.sin(theta[row]) * np.sin(turn),
                ]
            )
            total += picture[row, column] * max(float(towards @ normal), 0.0) * area
    return total


def test_directions_follow_the_convention() -> None:
    directions = spherical_harmonics.latlong_directions(32)
    for column, expected in ((32, [1, 0, 0]), (48, [0, 0, 1]), (16, [0, 0, -1])):
        found = directions[15:17, column - 1 : column + 1].mean((0, 1))
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert directions[0, :, 1].min() > 0.99
    np.testing.assert_allclose(spherical_harmonics.solid_angles(32).sum() * 64, 4 * np.pi)


@pytest.mark.parametrize("seed", [1, 5])
def test_irradiance_is_the_integral(seed: int) -> None:
    picture = sky.sky_picture(seed, 32)
    coefficients = spherical_harmonics.sh_coefficients(picture)
    rng = np.random.default_rng(0)
    most = coefficients[0] * 0.282095
    for normal in rng.normal(size=(6, 3)):
        normal /= np.linalg.norm(normal)
        found = spherical_harmonics.sh_basis(normal) @ coefficients
        # Bands above the second hold at most a few per cent of irradiance; a lamp's ring more.
        np.testing.assert_allclose(found, irradiance(picture, normal), atol=0.13 * most.max())


def test_smooth_light_is_exact() -> None:
    d = spherical_harmonics.latlong_directions(64)
    picture = 1.0 + 0.5 * d[..., 1:2] + 0.3 * (d[..., :1] * d[..., 2:]) * np.ones(3)
    normal = np.array([0.48, 0.6, 0.64])
    expected = np.pi * (1.0 + 0.5 * 2 / 3 * 0.6 + 0.3 / 4 * 0.48 * 0.64)
    found = spherical_harmonics.sh_basis(normal) @ spherical_harmonics.sh_coefficients(picture)
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_turning_takes_the_front_to_the_left() -> None:
    picture = uniform(0.01)
    picture[14:18, 47:49] = 5.0  # at u = 0.75: before the body

    def read(path: Path) -> np.ndarray:
        return picture

    for turn, towards in ((0.0, [0, 0, 1]), (90.0, [1, 0, 0]), (-90.0, [-1, 0, 0])):
        lighting = Lighting(Path("room.exr"), 0, turn, 1.0)
        turned = environment_light.environment_picture(lighting, read)
        _, found = environment_light.extract_beams(turned, lighting)
        np.testing.assert_allclose(found[0].direction, towards, atol=0.03)


def test_exposure_is_of_cards_and_follows_strength() -> None:
    def read(path: Path) -> np.ndarray:
        return uniform(7.0)

    once = environment_light.environment_picture(Lighting(Path("a.exr"), 0, 20.0, 1.0), read)
    np.testing.assert_allclose(once, 1.0, rtol=2e-3)  # a card is white under uniform light
    twice = environment_light.environment_picture(Lighting(Path("a.exr"), 0, 20.0, 2.0), read)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)
    key = Lighting(Path("a.exr"), 0, 0.0, 1.0, (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), 1.0)
    lit = environment_light.environment_picture(key, read)
    # Facing 1 + 1 units; upright 1 + the mean of the cosine's half, 1 / pi.
    np.testing.assert_allclose(lit, 1 / (0.5 * 2.0 + 0.5 * (1 + 1 / np.pi)), rtol=0.02)
    np.testing.assert_allclose(
        environment_light.key_irradiance(key, lit), np.pi * lit.mean(), rtol=1e-3
    )


@pytest.mark.parametrize("seed", range(8))
def test_beams_take_no_light_away(seed: int) -> None:
    lighting = Lighting(None, seed, 0.0, 1.0)
    picture = environment_light.environment_picture(lighting)
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    rest, found = environment_light.extract_beams(picture, lighting)
    whole = (
        spherical_harmonics.mean_radiance(spherical_harmonics.downscale_picture(picture, 64))
        * 4
        * np.pi
    )
    parts = spherical_harmonics.mean_radiance(rest) * 4 * np.pi + sum(b.irradiance for b in found)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    assert rest.min() >= 0
    assert len(found) <= environment_light.MAX_BEAMS


def test_skies_are_seeded_and_differ() -> None:
    np.testing.assert_array_equal(sky.sky_picture(4), sky.sky_picture(4))
    means = {round(float(sky.sky_picture(seed).mean()), 5) for seed in range(12)}
    assert len(means) == 12


def test_random_lighting_is_valid_and_varied() -> None:
    files = [Path("a.exr"), Path("b.hdr")]
    drawn = [environment_light.random_lighting(np.random.default_rng(k), files) for k in range(200)]
    assert {one.environment for one in drawn} == {None, *files}
    keys = [one for one in drawn if one.key is not None]
    assert 50 < len(keys) < 110
    assert all(abs(np.linalg.norm(one.key) - 1) < 1e-9 and one.key[2] > 0 for one in keys)
    assert environment_light.random_lighting(np.random.default_rng(7), []).environment is None
    assert drawn[7] == environment_light.random_lighting(np.random.default_rng(7), files)


def test_bad_environments_are_named(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match=r"sky\.hdr"):
        environment.read_environment(tmp_path / "sky.hdr")
    lighting = Lighting(Path("odd.exr"), 0, 0.0, 1.0)
    for wrong in (np.ones((4, 5, 3)), np.ones((4, 8)), np.zeros((4, 8, 3))):
        with pytest.raises(LikenessError, match=r"odd\.exr"):
            environment_light.environment_picture(lighting, lambda path, wrong=wrong: wrong)


def test_broken_environments_are_told_and_others_light(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.exr" for name in "abc"]
    told: list[Path] = []
    reads: list[Path] = []

    def read(path: Path) -> np.ndarray:
        reads.append(path)
        if path in broken:
            raise LikenessError("It is broken.", "Mend it.")
        return np.ones((4, 8, 3))

    def drawn() -> list[Lighting]:
        here = environment_light.EnvironmentPool(files, read, lambda path, why: told.append(path))
        return [here.random_lighting(np.random.default_rng(k)) for k in range(40)]

    broken: set[Path] = set()
    whole = drawn()
    assert whole == [
        environment_light.random_lighting(np.random.default_rng(k), files) for k in range(40)
    ]
    broken = {files[1]}
    left = drawn()
    assert told == [files[1]]
    for one, before in zip(left, whole):
        moved = files[2] if before.environment == files[1] else before.environment
        assert one == replace(before, environment=moved)
    broken = set(files)
    assert {one.environment for one in drawn()} == {None}
    assert set(told[1:]) == set(files)
    assert reads.count(files[1]) < 40  # what is known to be broken is not read again


def test_exr_is_read_without_blender(tmp_path: Path) -> None:
    openexr = pytest.importorskip("OpenEXR")
    picture = np.random.default_rng(0).random((4, 8, 3)).astype(np.float32)
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    path = tmp_path / "room.exr"
    with openexr.File(header, {"RGB": picture}) as file:
        file.write(str(path))
    np.testing.assert_allclose(environment.read_environment(path), picture)
    path.write_bytes(b"no picture")
    with pytest.raises(LikenessError, match=r"room\.exr"):
        environment.read_environment(path)
