"""Procedural surroundings: studios, skies and rooms, generated from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.spherical_harmonics import latlong_directions
from ..core.types import FloatArray

DAY, TUNGSTEN, SKY_BLUE = (1.0, 0.98, 0.95), (1.0, 0.72, 0.42), (0.55, 0.75, 1.0)


def sky_picture(seed: int, height: int = 64) -> FloatArray:
    """[H, 2H, 3] float32 linear radiance of procedural surroundings, exposure arbitrary."""
    rng = np.random.default_rng([seed, 0x5C1])
    make = KINDS[int(rng.integers(len(KINDS)))]
    return np.asarray(np.clip(make(rng, latlong_directions(height)), 0.0, None), np.float32)


def _at(azimuth: float, elevation: float) -> FloatArray:
    """[3] a direction; azimuth 0 is +z, 90 is +x, in degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def _box(
    d: FloatArray, azimuth: float, elevation: float, size: tuple[float, float], edge: float
) -> FloatArray:
    """[H, W, 1] a rectangle of light, ``size`` degrees (wide, high), soft by ``edge`` degrees."""
    towards = _at(azimuth, elevation)
    right = _at(azimuth + 90.0, 0.0)
    up = np.cross(towards, right)
    forward = np.maximum(d @ towards, 1e-3)
    inside = np.where(d @ towards > 0.05, 1.0, 0.0)
    for axis, wide in ((right, size[0]), (up, size[1])):
        off = np.degrees(np.abs(np.arctan((d @ axis) / forward)))
        inside = inside * np.clip((wide / 2 - off) / edge + 0.5, 0.0, 1.0)
    return inside[..., None]


def _spot(d: FloatArray, towards: FloatArray, degrees: float) -> FloatArray:
    """[H, W, 1] a round glow, about ``degrees`` across."""
    off = np.degrees(np.arccos(np.clip(d @ towards, -1.0, 1.0)))
    return np.asarray(np.exp(-0.5 * (off / (0.5 * degrees)) ** 2))[..., None]


def _colour(rng: np.random.Generator, base: tuple[float, float, float], by: float) -> FloatArray:
    return np.asarray(np.array(base) * (1.0 + rng.uniform(-by, by, 3)))


def _layers(d: FloatArray, above: FloatArray, horizon: FloatArray, below: FloatArray) -> FloatArray:
    """Colours from the zenith over the horizon to the ground."""
    up = d[..., 1:2]
    sky = horizon + (above - horizon) * np.clip(up, 0.0, 1.0) ** 0.5
    return np.asarray(sky + (below - sky) * np.clip(-up * 8.0 + 0.5, 0.0, 1.0))


def _studio(rng: np.random.Generator, d: FloatArray) -> FloatArray:
    """Soft boxes around a dim room with a paper background."""
    room = rng.uniform(0.05, 0.35)
    out = _layers(d, *(room * _colour(rng, (1.0, 1.0, 1.0), 0.06) for _ in range(3)))
    side = float(rng.choice([-1.0, 1.0]))
    key, high = side * rng.uniform(20.0, 70.0), rng.uniform(15.0, 50.0)
    size = (rng.uniform(18.0, 45.0), rng.uniform(22.0, 60.0))
    out = out + _box(d, key, high, size, 3.0) * 14.0 * _colour(rng, DAY, 0.08)
    fill = -side * rng.uniform(35.0, 90.0)
    fill_power = rng.uniform(0.5, 5.0) * _colour(rng, (1.0, 1.0, 1.0), 0.1)
    out = out + _box(d, fill, rng.uniform(0.0, 35.0), (50.0, 60.0), 8.0) * fill_power
    if rng.random() < 0.6:
        rim = _box(d, side * -rng.uniform(120.0, 165.0), rng.uniform(15.0, 50.0), (15.0, 50.0), 3.0)
        out = out + rim * rng.uniform(6.0, 18.0) * _colour(rng, (1.0, 1.0, 1.0), 0.15)
    return np.asarray(out)


def _overcast_sky(rng: np.random.Generator, d: FloatArray) -> FloatArray:
    """A grey sky, three times as bright overhead (the CIE's), above dull ground."""
    bright = (1.0 + 2.0 * np.clip(d[..., 1:2], 0.0, 1.0)) / 3.0
    sky = bright * _colour(rng, (0.92, 0.97, 1.05), 0.05) * 3.0
    patch = _spot(d, _at(rng.uniform(0, 360), rng.uniform(30, 75)), 60.0) * rng.uniform(0.5, 4.0)
    ground = rng.uniform(0.15, 0.6) * _colour(rng, (1.0, 0.93, 0.85), 0.1)
    return np.asarray(sky + patch + (ground - sky) * np.clip(-d[..., 1:2] * 8.0 + 0.5, 0.0, 1.0))


def _clear_sky(rng: np.random.Generator, d: FloatArray) -> FloatArray:
    """A blue sky with the sun, a hazy ring around it, and lit ground."""
    blue = _colour(rng, SKY_BLUE, 0.1)
    ground = rng.uniform(0.4, 1.2) * _colour(rng, (1.0, 0.92, 0.8), 0.12)
    out = _layers(d, 0.8 * blue, 1.6 * (0.5 * blue + 0.5), ground)
    sun = _at(rng.uniform(0, 360), rng.uniform(25.0, 65.0))
    haze = rng.uniform(0.0, 1.0)
    out = out + _spot(d, sun, 40.0) * (1.0 + 2.0 * haze) * np.array(DAY)
    wide = 4.0 + 8.0 * haze  # a veiled sun throws softer shadows
    power = rng.uniform(3.0, 7.0) * (1.0 - 0.5 * haze)
    return np.asarray(out + _spot(d, sun, wide) * power * _even(wide) * np.array(DAY))


def _even(degrees: float) -> float:
    """Factor by which a glow of that width sends the light of one steradian."""
    return float(1.0 / (2 * np.pi * np.radians(0.5 * degrees) ** 2))


def _indoor_room(rng: np.random.Generator, d: FloatArray) -> FloatArray:
    """A room with a window to one side, perhaps a lamp, and a lit ceiling."""
    wall = rng.uniform(0.25, 0.6) * _colour(rng, (1.0, 0.92, 0.82), 0.12)
    floor = rng.uniform(0.1, 0.35) * _colour(rng, (0.8, 0.6, 0.42), 0.25)
    out = _layers(d, wall * rng.uniform(0.9, 1.6), wall, floor)
    side = rng.uniform(-110.0, 110.0)
    size = (rng.uniform(35.0, 75.0), rng.uniform(35.0, 60.0))
    window = _box(d, side, rng.uniform(5.0, 20.0), size, 3.0)
    out = out + window * rng.uniform(4.0, 11.0) * _colour(rng, (0.88, 0.96, 1.1), 0.1)
    if rng.random() < 0.5:
        lamp = _spot(d, _at(side + rng.uniform(90.0, 270.0), rng.uniform(15.0, 60.0)), 16.0)
        out = out + lamp * rng.uniform(6.0, 25.0) * _colour(rng, TUNGSTEN, 0.1)
    return np.asarray(out)


def _golden_hour(rng: np.random.Generator, d: FloatArray) -> FloatArray:
    """A low warm sun, a glowing horizon and a cool sky above."""
    azimuth = rng.uniform(0, 360)
    toward = 0.5 + 0.5 * (d @ _at(azimuth, 0.0))[..., None]
    horizon = np.array([0.6, 0.55, 0.62]) + toward**2 * _colour(rng, (1.6, 0.8, 0.3), 0.15)
    ground = 0.25 * _colour(rng, (0.9, 0.65, 0.45), 0.15) * (0.5 + toward)
    up = np.clip(d[..., 1:2], 0.0, 1.0) ** 0.5
    sky = horizon + (_colour(rng, (0.38, 0.5, 0.8), 0.1) - horizon) * up
    out = sky + (ground - sky) * np.clip(-d[..., 1:2] * 8.0 + 0.5, 0.0, 1.0)
    sun = _at(azimuth, rng.uniform(4.0, 18.0))
    power = rng.uniform(1.5, 4.0) * _colour(rng, (1.0, 0.68, 0.36), 0.08)
    return np.asarray(out + _spot(d, sun, 6.0) * _even(6.0) * power)


def _night(rng: np.random.Generator, d: FloatArray) -> FloatArray:
    """Lamps and signs of several colours in a dark street or bar."""
    dark = rng.uniform(0.04, 0.12) * _colour(rng, (0.7, 0.8, 1.2), 0.2)
    out = _layers(d, 0.5 * dark, dark, 0.7 * dark)
    for k in range(int(rng.integers(4, 8))):
        base = TUNGSTEN if k == 0 or rng.random() < 0.6 else tuple(rng.uniform(0.15, 1.0, 3))
        front = rng.uniform(-80.0, 80.0) if k == 0 else rng.uniform(0.0, 360.0)
        wide = rng.uniform(10.0, 40.0)
        power = rng.uniform(0.25, 0.7) * (2.0 if k == 0 else 1.0) * _even(wide)
        glow = _spot(d, _at(front, rng.uniform(0.0, 55.0)), wide)
        out = out + glow * power * _colour(rng, base, 0.08)
    return np.asarray(out)


KINDS: tuple[Callable[[np.random.Generator, FloatArray], FloatArray], ...] = (
    _studio,
    _overcast_sky,
    _clear_sky,
    _indoor_room,
    _golden_hour,
    _night,
)
