"""Photos of synthetic people, labelled by the lift as it is: real mistakes to learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.types import LikenessError
from ...dataset.atlas_people import AtlasPerson, atlas_person_paths, read_atlas_person
from ...dataset.subjects import PERSON
from ...files.atomic import atomic_write_text
from ...files.run_folder import RunFolder
from ...gaussians.lift.garments.labels_network import labels_of_cells, observe_cells
from ...gaussians.lift.garments.labels_surface import label_surface
from ...gaussians.lift.label_photo import label_photo
from ...gaussians.lift.pixels.labels_parser import ParserRuntime, load_parser
from ...gaussians.lift.surface.atlas_cells import AtlasCells, atlas_cells
from ...synth.figure import SynthContext, make_subject, open_context
from ...synth.subject import RasterStudio, StageClock, draw_subject
from ...synth.synth_options import SynthOptions
from ..augment import CLEAN, Augmentation
from ..photographs import InvalidReferenceError, Photographs
from .lifted import LiftedCells, write_lifted


class OtherClothesError(LikenessError):
    """A person who is dressed otherwise in a picture, since the pose bends the hips."""


class PeopleLifter:
    """Draws people's reference views and labels them.

    Args:
        options: of the people; those of their truth over the atlas, and the pictures' size.
        context: opened with them.
        augmentation: how photos differ from renderings.
        parser: labels the photos together with the rules; None: the rules alone.
    """

    def __init__(
        self,
        options: SynthOptions,
        context: SynthContext,
        augmentation: Augmentation = CLEAN,
        parser: ParserRuntime | None = None,
    ) -> None:
        self.options, self.context, self.parser = options, context, parser
        self._studio = RasterStudio(context.surroundings.read)
        self._photos = Photographs(context.dress.body, augmentation, True, None)

    def lift(self, number: int, person: AtlasPerson) -> LiftedCells:
        """Label a photo of person ``number``.

        Args:
            number: of the person.
            person: the truth.

        Raises:
            OtherClothesError: the picture shows other clothes than the truth.
            LikenessError: nobody is found in the picture.
        """
        made = make_subject(number, self.options, self.context)
        worn = {part.name for part in made.figure.parts}
        if not {piece["name"] for piece in person.facts["pieces"]} <= worn:
            raise OtherClothesError(
                f"Person {number} wears other clothes in this pose.", "Leave it out."
            )
        subject = draw_subject(made, self.options, self._studio, StageClock())
        try:
            photo = self._photos.of(subject, 0)
        except InvalidReferenceError as error:
            raise LikenessError(f"Person {number}: {error}", "Leave it out.") from error
        assert photo.observation is not None
        body = self.context.dress.body.personalised(photo.track.betas)
        vertices, _ = body.vertices(photo.track.pose)
        found = label_photo(
            photo.matte, photo.observation, photo.track, body, vertices, parser=self.parser
        )
        cells: AtlasCells = atlas_cells(body)
        label, weight, color = observe_cells(
            found.regions, found.camera, body, vertices, cells, found.colors
        )
        shares = label_surface(found.regions, found.camera, body, vertices)
        return LiftedCells(
            label.astype(np.int8),
            weight.astype(np.float16),
            np.round(255 * np.clip(color, 0, 1)).astype(np.uint8),
            labels_of_cells(shares, body, cells).astype(np.uint8),
            made.framing,
        )


def lift_people(
    data: Path, out: Path, count: int, size: int = 512, say: Callable[[str], None] = print
) -> int:
    """Lift pictures of the first people of a folder; those that are there already stay.

    Args:
        data: folder of people over the atlas, as ``likeness synth --atlas`` left it.
        out: folder of the lifts, a file of the person's name each.
        count: people to look at.
        size: pixels along the pictures' sides; 384 lose the hair.
        say: called with progress.

    Returns:
        The number of lifts that are there.

    Raises:
        LikenessError: The folder cannot be read, or the library that it names cannot.
    """
    with atlas_run(data).parsing():
        options = options_from_json(SynthOptions, atlas_run(data).read()["options"])
    options = replace(options, size=size, texture_size=size, views=1, depth=False, labels=False)
    context = open_context(options, lambda asset, why: None)
    lifter = PeopleLifter(options, context, parser=load_parser())
    for path in atlas_person_paths(data)[:count]:
        if (out / path.name).is_file() or (out / f"{path.stem}.skipped").is_file():
            continue
        try:
            person = read_atlas_person(path)
            write_lifted(out / path.name, lifter.lift(int(person.facts["number"]), person))
            say(f"  {path.stem}")
        except LikenessError as error:
            atomic_write_text(out / f"{path.stem}.skipped", error.message)
            say(f"  {path.stem} is left out: {error.message}")
    return len(list(out.glob(f"{PERSON}*.npz")))


def options_from_json(kind: type[SynthOptions], said: Mapping[str, Any]) -> SynthOptions:
    """Return options from a run's record, which may hold more than them."""
    names = {field.name for field in fields(kind)} & said.keys()
    values: dict[str, Any] = {
        name: tuple(said[name]) if isinstance(said[name], list) else said[name] for name in names
    }
    return kind(**values)


def atlas_run(data: Path) -> RunFolder:
    """Return the record of the run that made a folder of people over the atlas."""
    return RunFolder(data, "atlas.json", ".atlas.lock")
