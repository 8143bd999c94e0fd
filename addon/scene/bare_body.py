"""Add > Armature > Likeness Body: the body with its rig, without splats."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy
import numpy as np

from ...engine.body import Body
from ...engine.core.types import FloatArray
from .armature import create_armature
from .axes import points_to_engine
from .body_object import create_body_steps
from .origin import set_origin
from .placing import stand_free
from .selection import discard_collection, enter_object_mode, select_only

_SPREAD = 0.8  # standard deviations of a random shape, which avoids odd ones


def random_betas(body: Body, seed: int) -> FloatArray:
    """[S] betas of a random body and head; the same for the same seed."""
    return np.random.default_rng(seed).normal(0.0, _SPREAD, body.num_betas)


def add_body_steps(
    body: Body, betas: FloatArray, name: str, context: Any
) -> Generator[None, None, Any]:
    """Add the body at the 3D cursor, or beside who stands there, in the T-pose and in slices; the
    generator returns the armature.

    The body is an ordinary mesh that is visible and rendered.
    """
    enter_object_mode(context)
    person = body.personalised(betas)
    collection = bpy.data.collections.new(name)
    context.scene.collection.children.link(collection)
    try:
        place = np.array([0.0, 0.0, -float(person.v_template[:, 1].min())])
        joints = person.J_template + points_to_engine(place)
        armature = create_armature(joints, name, collection, context)
        set_origin(armature, place, place)
        yield
        mesh = yield from create_body_steps(person, f"Body {name}", armature, collection)
        stand_free(armature, None, context)
        mesh.hide_set(False)
        mesh.hide_render = False
        mesh.display_type = "TEXTURED"
    except BaseException:
        discard_collection(collection)
        raise
    select_only(armature, context)
    return armature
