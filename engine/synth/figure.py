"""One synthetic subject from its number: person, pose, clothes, light and cameras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..core.types import FloatArray, LikenessError, Pose
from ..files.weights import asset_path
from ..imaging.environment import read_environment
from ..wardrobe.dress import DressBody, load_dress_body, pose_body
from ..wardrobe.library import Library, open_library
from . import (
    accessories,
    clothes,
    environment_light,
    eyeballs,
    hair,
    natural,
    person_traits,
    skin,
    splits,
    views,
)
from .families import edit_looks, family_member
from .person_looks import PersonLooks, look_to_json, make_figure
from .person_parts import Figure, Lighting, Traits, Wearer
from .synth_options import FRAMINGS, SynthOptions, family_size

_TRAITS, _BODY, _POSE, _FACE, _SKIN, _EYES, _HAIR, _CLOTHES, _WORN, _VIEWS, _LIGHT, _FRAMING = (
    range(12)
)
_EDITS = 20  # the streams from 12 on are the evaluation's
"""Every choice draws from a random stream of its own: a change to one leaves the others."""
_NEXT_POSE = 1000  # offset between the streams of a person's poses

FIGURE_STEPS = {"body": _BODY, "pose": _POSE, "face": _FACE, "views": _VIEWS, "framing": _FRAMING}
"""Random streams that whoever makes the same person again draws from."""


@dataclass(frozen=True)
class SynthContext:
    """What all subjects share, opened once in each process."""

    dress: DressBody
    prior: person_traits.ShapePrior
    library: Library | None
    motions: natural.PosePool | None
    surroundings: environment_light.EnvironmentPool


@dataclass(frozen=True)
class PosedFigure:
    """A person in one pose.

    Attributes:
        pose: with its expression.
        figure: body, clothes and hair.
    """

    pose: Pose
    figure: Figure


@dataclass(frozen=True)
class SynthSubject:
    """A subject that is ready to be drawn.

    Attributes:
        number: of the subject in its set.
        stances: the person in one or more poses; the reference shows the first.
        betas: [B] shape coefficients.
        framing: ``head``, ``half`` or ``full``.
        views: the cameras; each sees one of the poses.
        lighting: around the person.
        facts: JSON-able provenance.
        seconds: by stage.
    """

    number: int
    stances: tuple[PosedFigure, ...]
    betas: FloatArray
    framing: str
    views: tuple[views.PlannedView, ...]
    lighting: Lighting
    facts: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def pose(self) -> Pose:
        """The pose that the reference shows."""
        return self.stances[0].pose

    @property
    def figure(self) -> Figure:
        """The figure that the reference shows."""
        return self.stances[0].figure


def open_context(
    options: SynthOptions,
    skipped: Callable[[Path, str], None],
    read: Callable[[Path], FloatArray] = read_environment,
) -> SynthContext:
    """Open the body, the library and the motions.

    Args:
        options: name the files.
        skipped: called with each broken asset and the reason; the asset is left out.
        read: gives the [H, W, 3] linear picture of an environment's file.

    Raises:
        LikenessError: a library, motion file or body that the options name cannot be used.
    """
    body = asset_path("body")
    library = None
    if options.assets is not None:
        library = splits.split_library(open_library(Path(options.assets), skipped), options.split)
    motions = None
    if options.motions:
        motions = natural.PosePool.open([Path(path) for path in options.motions], skipped)
    environments = splits.split_paths(map(Path, options.environments), options.split)
    if options.environments and not environments:
        raise LikenessError(
            f"None of the environments belongs to the split '{options.split}'.",
            "Give more of them, or none to use procedural skies.",
        )
    surroundings = environment_light.EnvironmentPool(environments, read, skipped)
    return SynthContext(
        load_dress_body(body), person_traits.load_prior(body), library, motions, surroundings
    )


def make_subject(number: int, options: SynthOptions, world: SynthContext) -> SynthSubject:
    """Make subject ``number`` of a seed: the same in any process and after any other.

    The first are the characters that the options name. With ``options.attributes``, a family's
    members follow each other.

    Raises:
        LikenessError: a character or an asset cannot be read.
    """
    if number < len(options.characters):
        return make_converted_subject(number, options, world)
    start, seed = perf_counter(), splits.split_seed(options.seed, options.split)
    person, row = divmod(number, family_size(options.attributes, options.between))

    def rng(step: int) -> np.random.Generator:
        return np.random.default_rng([seed, person, step])

    body = world.dress.body
    traits = person_traits.stratified_traits(person, seed)
    betas = person_traits.random_betas(rng(_BODY), traits, world.prior)
    own = replace(world.dress, body=body.personalised(betas))
    poses, postures = [], []
    for k in range(options.poses):
        shift = _NEXT_POSE * k
        pose, posture = natural.natural_pose(rng(_POSE + shift), own, np.zeros(0), world.motions)
        face = natural.random_face(rng(_FACE + shift), body, traits, pose)
        poses.append(replace(pose, expression=face))
        postures.append(posture)
    posed = [pose_body(world.dress, betas, pose) for pose in poses]
    framing = random_framing(rng(_FRAMING), options.framing)
    planned = views.plan_views(
        rng(_VIEWS),
        body,
        betas,
        [(pose, stance.vertices) for pose, stance in zip(poses, posed, strict=True)],
        framing,
        options.views,
        options.size,
    )
    lighting = world.surroundings.random_lighting(rng(_LIGHT))
    known = perf_counter()
    cache: dict[str, Any] = {}
    looks = random_looks(rng, traits, world.library)
    family: dict[str, Any] = {}
    if options.attributes:
        member = family_member(row, options.between)
        stream = np.random.default_rng([seed, person, _EDITS, member.pair + 1])
        edited = edit_looks(looks, member, traits, world.library, stream)
        looks = edited.looks
        named = {"person": person, "category": edited.category, "look": edited.look}
        family["family"] = named | asdict(member)
        family["text"] = edited.text
    figures = [
        make_figure(
            Wearer(
                world.dress,
                stance,
                traits,
                betas,
                np.asarray(pose.expression),
                world.library,
                options.texture,
                tuple(posed),
                cache,
            ),
            looks,
        )
        for pose, stance in zip(poses, posed, strict=True)
    ]
    facts = {
        "number": number,
        "traits": look_to_json(traits) | {"age_band": traits.age_band},
        "looks": figures[0].looks,
        "posture": postures[0],
        "lighting": look_to_json(lighting),
        "engine": options.engine,
        "split": options.split,
        **family,
    }
    if options.poses > 1:
        facts["other_postures"] = postures[1:]
    return SynthSubject(
        number,
        tuple(PosedFigure(*stance) for stance in zip(poses, figures, strict=True)),
        betas,
        framing,
        tuple(planned),
        lighting,
        facts,
        {"person": known - start, "looks": perf_counter() - known},
    )


def make_converted_subject(number: int, options: SynthOptions, world: SynthContext) -> SynthSubject:
    """Make a subject of a user's character as it stands, with cameras and light like all others.

    It has one pose, whatever the options say.

    Raises:
        LikenessError: its folder was not written by ``likeness convert``, or is broken.
    """
    from .characters.conversion import load_subject  # with it come the tracker's detectors

    start, seed = perf_counter(), splits.split_seed(options.seed, options.split)
    figure, betas, pose = load_subject(Path(options.characters[number]))

    def rng(step: int) -> np.random.Generator:
        return np.random.default_rng([seed, number, step])

    vertices = pose_body(world.dress, betas, pose).vertices
    framing = random_framing(rng(_FRAMING), options.framing)
    planned = views.plan_views(
        rng(_VIEWS),
        world.dress.body,
        betas,
        [(pose, vertices)],
        framing,
        options.views,
        options.size,
    )
    lighting = world.surroundings.random_lighting(rng(_LIGHT))
    facts = {
        "number": number,
        "looks": figure.looks,
        "lighting": look_to_json(lighting),
        "engine": options.engine,
        "split": options.split,
    }
    return SynthSubject(
        number,
        (PosedFigure(pose, figure),),
        betas,
        framing,
        tuple(planned),
        lighting,
        facts,
        {"looks": perf_counter() - start},
    )


def dress_wearer(wearer: Wearer, rng: Callable[[int], np.random.Generator]) -> Figure:
    """Give a body skin, eyes, clothes, accessories and hair.

    Args:
        wearer: the body in its pose.
        rng: gives the random numbers of each step.
    """
    return make_figure(wearer, random_looks(rng, wearer.traits, wearer.library))


def random_looks(
    rng: Callable[[int], np.random.Generator], traits: Traits, library: Library | None
) -> PersonLooks:
    """Choose the looks of a person.

    Args:
        rng: gives the random numbers of each step.
        traits: of the person.
        library: assets, or None for procedural looks only.
    """
    hair_look = hair.random_hair(rng(_HAIR), traits, library)
    dyed = hair_look.pigment != hair_look.natural  # beards and roots keep their own colour
    roots = hair_look.natural if dyed else hair_look.color
    bald = hair_look.kind == "bald"
    return PersonLooks(
        skin.random_skin(rng(_SKIN), traits, library, roots, bald=bald),
        eyeballs.random_eyes(rng(_EYES), traits, library),
        hair_look,
        clothes.random_clothes(rng(_CLOTHES), traits, library),
        accessories.random_accessories(rng(_WORN), traits, library),
    )


def random_framing(rng: np.random.Generator, wanted: str) -> str:
    """Draw the framing of a subject's pictures, unless one is wanted.

    Args:
        rng: random numbers.
        wanted: ``head``, ``half``, ``full`` or ``mix``.
    """
    if wanted != "mix":
        return wanted
    return str(rng.choice(list(FRAMINGS), p=list(FRAMINGS.values())))
