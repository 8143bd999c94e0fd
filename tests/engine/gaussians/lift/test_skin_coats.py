"""Open coats in the colours of skin beside trousers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, IntArray
from likeness.engine.gaussians.lift.pixels.skin_coats import label_skin_coats
from likeness.engine.gaussians.lift.surface.labels import LOWER, NONE, SKIN, UPPER, Places
from likeness.engine.gaussians.lift.surface.limbs import HEAD, LEFT_ARM, LEFT_LEG, RIGHT_LEG, TORSO

METRES = 0.005
CAMEL, FACE = np.array([50.0, 12.0, 24.0]), np.array([65.0, 15.0, 18.0])


@dataclass(frozen=True)
class Wearer:
    """A person of rectangles, 5 mm a pixel: two legs, a trunk, one arm and a head."""

    label: IntArray
    lab: FloatArray
    group: IntArray
    part: np.ndarray
    rest: FloatArray
    beside: FloatArray

    @property
    def coat(self) -> np.ndarray:
        """[H, W] where the coat is."""
        return (self.lab == CAMEL).all(-1)

    def look(self) -> IntArray:
        noise = np.random.default_rng(0).normal(0.0, 2.0, self.lab.shape)
        places = SimpleNamespace(rest=self.rest, on_body=self.beside == 0.0, beside=self.beside)
        skin = (self.group == HEAD) & (self.label == SKIN)
        return label_skin_coats(
            self.label, self.lab + noise, self.group, cast(Places, places), self.part, skin, METRES
        )

    @staticmethod
    def of(worn: str = "coat", trousers: bool = True) -> Wearer:
        row, col = np.mgrid[:300, :160]
        up = (140 - row) * METRES  # metres over the pelvis
        across = (col - 80) * METRES
        label, group = np.full(row.shape, NONE), np.full(row.shape, -1)
        part = np.full(row.shape, "torso", "<U8")
        beside = np.zeros(row.shape)
        lab = np.zeros((*row.shape, 3))

        def paint(where: np.ndarray, limb: int, name: str, kind: int, color: object) -> None:
            label[where], group[where], part[where], lab[where] = kind, limb, name, color

        body = np.abs(across) < 0.15
        legs = body & (up < 0.0) & (up > -0.7)
        paint(body & (up >= 0.0) & (up < 0.5), TORSO, "torso", UPPER, [20.0, 0.0, -20.0])
        paint(legs & (col < 80), RIGHT_LEG, "leg", LOWER, [30.0, 0.0, -30.0])
        paint(legs & (col >= 80), LEFT_LEG, "leg", LOWER, [30.0, 0.0, -30.0])
        if not trousers:
            label[legs], lab[legs] = SKIN, FACE
        paint((np.abs(across) < 0.08) & (up >= 0.5) & (up < 0.65), HEAD, "face", SKIN, FACE)
        paint((np.abs(across) < 0.04) & (up > 0.4) & (up < 0.5), TORSO, "torso", SKIN, FACE)
        arm = (across > 0.15) & (across < 0.22) & (up > 0.0) & (up < 0.45)
        paint(arm, LEFT_ARM, "arm", SKIN, FACE)
        part[arm & (up < 0.1)] = "hand"
        sides = (np.abs(across) > 0.08) & (np.abs(across) < 0.2) & (up > -0.45) & ~arm
        if worn == "hand":  # beside a thigh, where the fit has it elsewhere
            sides &= (across > 0.1) & (up < -0.05) & (up > -0.24)
            paint(sides, LEFT_LEG, "leg", SKIN, FACE)
        elif worn != "nothing":
            low, high = sides & (up < 0.0), sides & (up >= 0.0) & (up < 0.45)
            paint(low & (col < 80), RIGHT_LEG, "leg", SKIN, CAMEL)
            paint(low & (col >= 80), LEFT_LEG, "leg", SKIN, CAMEL)
            paint(high, TORSO, "torso", SKIN, CAMEL)
            if worn == "coat":
                lab[arm & (part == "arm")] = CAMEL
        beside[sides & ~body] = np.abs(across)[sides & ~body] - 0.15
        rest = np.stack([across, up, 0.0 * up], -1)
        return Wearer(label, lab, group, part, rest, beside)


def test_a_coat_and_its_sleeves_are_cloth() -> None:
    wearer = Wearer.of()
    found = wearer.look()
    assert (found[wearer.coat] == UPPER).mean() > 0.99
    np.testing.assert_array_equal(found[~wearer.coat], wearer.label[~wearer.coat])
    assert (found[wearer.part == "hand"] == SKIN).all()


def test_the_arms_of_a_waistcoat_are_bare() -> None:
    wearer = Wearer.of("waistcoat")
    found = wearer.look()
    assert (found[wearer.group == LEFT_ARM] == SKIN).all()
    assert (found[wearer.coat] == UPPER).mean() > 0.99


@pytest.mark.parametrize(
    ("worn", "trousers"), [("nothing", True), ("hand", True), ("coat", False), ("nothing", False)]
)
def test_skin_stays_skin(worn: str, trousers: bool) -> None:
    """A hand at a hip, and bare legs below what may be a dress."""
    wearer = Wearer.of(worn, trousers)
    np.testing.assert_array_equal(wearer.look(), wearer.label)


def test_without_a_face_nothing_is_known() -> None:
    wearer = Wearer.of()
    faceless = replace(wearer, group=np.where(wearer.group == HEAD, TORSO, wearer.group))
    np.testing.assert_array_equal(faceless.look(), faceless.label)
