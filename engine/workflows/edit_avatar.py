"""Attributes of avatar files: things put on, taken off or edited in the portrait; sliders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..core.attributes import EDITABLE, NAMES, NothingToEditError
from ..core.retouch import record_retouch, remove_retouch
from ..core.types import Avatar, LikenessError, Progress
from ..files.folders import check_output_folder
from ..formats.avatar import load_editable_avatar, save_avatar
from ..wardrobe.asset_kinds import find_category
from ..wardrobe.edit import check_value, set_attribute
from ..wardrobe.items import CATEGORIES, CLOTHES, ITEMS, ItemRequest, check_item, parse_color
from ..wardrobe.refit import put_on, take_off
from ..wardrobe.tables import Color
from ..wardrobe.tint import TINTED, check_tinted, tint_part
from .look_edits import LearnedLooks, add_looks, parse_look

_SUFFIX = ".safetensors"
FILE_NAME = f"avatar{_SUFFIX}"
_FIRST = (*CLOTHES, "hair")
_OPTIONS = ("color", "second", "value", "seed", "length", "thickness")
_ITEM = re.compile(
    r"(?P<category>[^=,]*)=(?P<item>.+\.mhclo|[^,]*)(?P<options>|,.*)", re.IGNORECASE | re.DOTALL
)
"""What is put on; the path of a library file may have commas, and options have no such path."""
_FILE = re.compile(r"(?P<item>.+\.mhclo)(?P<options>|,.*)", re.IGNORECASE | re.DOTALL)
"""The same without a category, which a library file says itself."""


@dataclass(frozen=True)
class EditedPortrait:
    """A portrait in which the user changed something, in any program.

    Attributes:
        edited: the changed picture, of the same frame.
        portrait: the one from which the avatar was built.
        part: what was changed, of ``core.attributes.EDITABLE``; None: what the picture shows.
        source: of the picture, for the avatar's provenance, such as the text that asked for it.

    Raises:
        LikenessError: the portrait is missing, or the part is unknown.
    """

    edited: Path
    portrait: Path | None
    part: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.portrait is None:
            raise LikenessError(
                f"The edited picture '{self.edited}' needs the portrait from which the avatar was "
                "built, which avatar files do not contain.",
                "Give that portrait as well.",
            )
        if self.part is not None and self.part not in EDITABLE:
            raise LikenessError(
                f"'{self.part}' is not a part of an avatar that a portrait shows.",
                f"Choose one of {', '.join(EDITABLE)}.",
            )


def parse_item(text: str) -> tuple[ItemRequest, float]:
    """Read what to put on, and the value of its slider.

    Args:
        text: such as ``hat=fedora,color=#332211,value=0.5``, or with the path of a .mhclo file
            after the category or alone.

    Raises:
        LikenessError: it is not written so, or the wardrobe has no such item.
    """
    found = _split_item(text)
    pairs = [part.partition("=") for part in found.options.split(",")[1:]] if found else []
    options = {name: value for name, _, value in pairs}
    if found is None or set(options) - set(_OPTIONS):
        raise LikenessError(
            f"'{text}' does not name an item of the wardrobe.",
            "Write a category and an item, such as hat=fedora, or a .mhclo file of a MakeHuman "
            "library; and after commas its color, second color, value, seed, length or thickness, "
            "such as color=#332211.",
        )
    category = found.category or find_category(Path(found.item))
    request = ItemRequest(
        category,
        found.item,
        parse_color(options["color"]) if "color" in options else None,
        parse_color(options["second"]) if "second" in options else None,
        int(_parse_number(options.get("seed", "0"), text)),
        _parse_number(options.get("length", "0.5"), text),
        _parse_number(options.get("thickness", "0.5"), text),
    )
    check_item(request)
    return request, _parse_number(options.get("value", "1"), text)


def parse_tint(text: str) -> tuple[str, Color, float]:
    """Read the part, the colour and the slider's value of a tint.

    Args:
        text: such as ``hair=#803010,value=0.5``.

    Raises:
        LikenessError: it is not written so, or the part cannot be tinted.
    """
    first, *rest = text.split(",")
    name, equals, color = first.partition("=")
    options = dict(part.split("=", 1) for part in rest if "=" in part)
    if not equals or len(options) != len(rest) or set(options) - {"value"}:
        raise LikenessError(
            f"'{text}' does not name a tint.",
            "Write a part and a color, such as hair=#803010, and after a comma its value.",
        )
    check_tinted(name)
    return name, parse_color(color), _parse_number(options.get("value", "1"), text)


def parse_setting(text: str) -> tuple[str, float]:
    """Read the name and value of a slider, such as ``beard=0.6``.

    Raises:
        LikenessError: it is not written so.
    """
    name, _, value = text.partition("=")
    return name, _parse_number(value, text)


@dataclass(frozen=True)
class EditList:
    """What to edit in every avatar of a batch.

    Attributes:
        add: items, as for :func:`parse_item`.
        tints: colours of parts, as for :func:`parse_tint`.
        values: of sliders, by name.
    """

    add: tuple[str, ...] = ()
    tints: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


def parse_edits(texts: Sequence[str]) -> EditList:
    """Read edits that are written as on the command line, such as ``add hat=fedora``.

    >>> parse_edits(["add hat=cap", "tint hair=#803010", "set hat=0.5"])
    EditList(add=('hat=cap',), tints=('hair=#803010',), values={'hat': 0.5})

    Args:
        texts: each ``add``, ``tint`` or ``set``, a space, and what the option of ``likeness edit``
            takes.

    Raises:
        LikenessError: one is not written so, or names what does not exist.
    """
    add, tints, values = [], [], {}
    for text in texts:
        word, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        if word == "add":
            parse_item(rest)
            add.append(rest)
        elif word == "tint":
            parse_tint(rest)
            tints.append(rest)
        elif word == "set":
            name, value = parse_setting(rest)
            if name not in NAMES:
                raise LikenessError(
                    f"Avatars have no attribute '{name}'.", f"Choose one of {', '.join(NAMES)}."
                )
            check_value(name, value)
            values[name] = value
        else:
            raise LikenessError(
                f"'{text}' is not an edit.",
                "Write 'add hat=fedora', 'tint hair=#803010' or 'set glasses=0'.",
            )
    return EditList(tuple(add), tuple(tints), values)


def resolve_edits(texts: Sequence[str], folder: Path) -> list[str]:
    """Return edits whose library files (.mhclo) have absolute paths.

    >>> resolve_edits(["tint hair=#803010"], Path("library"))
    ['tint hair=#803010']

    Args:
        texts: as for :func:`parse_edits`; what is not written so stays.
        folder: absolute; the one to which paths are relative.
    """
    return [_replace_item(text, lambda file: str(folder / file)) for text in texts]


def list_edit_files(texts: Sequence[str]) -> list[Path]:
    """List the library files (.mhclo) that edits name."""
    found = (_find_library_item(text) for text in texts)
    return [Path(one.item) for one in found if one is not None]


def strip_edit_folders(texts: Sequence[str]) -> list[str]:
    """Return edits whose library files (.mhclo) are named without their folders."""
    return [_replace_item(text, lambda file: Path(file).name) for text in texts]


def _replace_item(text: str, change: Callable[[str], str]) -> str:
    """An edit with another path of its library file, if it names one."""
    found = _find_library_item(text)
    if found is None:
        return text
    category = f"{found.category}=" if found.category else ""
    return f"add {category}{change(found.item)}{found.options}"


def _find_library_item(text: str) -> _SplitItem | None:
    """The parts of an edit that puts on a library file; None if it does something else."""
    word, _, rest = text.strip().partition(" ")
    found = _split_item(rest.strip()) if word == "add" else None
    return found if found is not None and found.item.lower().endswith(".mhclo") else None


class _SplitItem(NamedTuple):
    """What is put on: the category is empty if a library file is named alone."""

    category: str
    item: str
    options: str


def _split_item(text: str) -> _SplitItem | None:
    """The parts of what is put on; None if it is not written so."""
    found = _ITEM.fullmatch(text)
    if found is not None and found["category"] in CATEGORIES:
        return _SplitItem(found["category"], found["item"], found["options"])
    alone = _FILE.fullmatch(text)
    if alone is not None:
        return _SplitItem("", alone["item"], alone["options"])
    return None if found is None else _SplitItem(found["category"], found["item"], found["options"])


def check_edits(
    avatar: Path,
    out: Path,
    add: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    remove: Sequence[str] = (),
    tints: Sequence[str] = (),
    learned: LearnedLooks | None = None,
    portrait: Path | None = None,
) -> None:
    """Check what can be known of edits before an image model, which takes long, changes a portrait.

    Args:
        avatar: as for :func:`edit_avatar_file`.
        out: as for :func:`edit_avatar_file`.
        add: as for :func:`edit_avatar`.
        values: as for :func:`edit_avatar`.
        remove: as for :func:`edit_avatar`.
        tints: as for :func:`edit_avatar`.
        learned: as for :func:`edit_avatar`.
        portrait: the picture that the image model will change.

    Raises:
        LikenessError: as for :func:`edit_avatar_file`.
    """
    before = load_editable_avatar(avatar)
    names = [one.name for one in before.attributes]
    check_output_folder(out.absolute().parent if out.suffix == _SUFFIX else out.absolute())
    for text in add:
        parse_item(text)
    for text in tints:
        parse_tint(text)
    for name, value in (values or {}).items():
        check_value(name, value)
    for text in learned.looks if learned is not None else ():
        parse_look(text)
    missing = [*remove, *(name for name in values or {} if name not in NAMES)]
    for name in missing:
        if name not in names:
            has = f"It has {', '.join(names)}." if names else "It has none."
            raise LikenessError(f"The avatar has no attribute '{name}'.", has)
    if portrait is not None:
        from ..imaging.picture_changes import load_original
        from ..pipeline.photo_edit import find_build_options  # late: the whole engine

        load_original(portrait, before.provenance)
        find_build_options(before)


def edit_avatar(
    avatar: Avatar,
    add: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    remove: Sequence[str] = (),
    edited: EditedPortrait | None = None,
    progress: Progress | None = None,
    tints: Sequence[str] = (),
    learned: LearnedLooks | None = None,
    skipped: Callable[[NothingToEditError], None] | None = None,
    restore: bool = False,
) -> Avatar:
    """Edit an avatar's attributes.

    First edits by hand are undone, then things are removed, then come learned looks, then an edited
    portrait counts, then come clothes, the inmost first, then hair, tints, and other things that
    are put on, and the sliders come last.

    Args:
        avatar: with its attributes.
        add: items, as for :func:`parse_item`.
        values: of sliders, by name.
        remove: names of attributes.
        edited: a portrait in which something was changed.
        progress: called with the stage, 0..1 and a message, while that is lifted.
        tints: colours of parts, as for :func:`parse_tint`.
        learned: looks of the network that made the avatar.
        skipped: called for a tint, a slider or taking off of what the avatar does not have; None:
            that is an error.
        restore: undo what was erased, painted, moved and sculpted by hand (core/retouch.py).

    Raises:
        LikenessError: an item or an attribute is unknown, a value is out of range, or the edited
            portrait cannot be used.
    """
    if restore:
        avatar = record_retouch(remove_retouch(avatar))
    items = [parse_item(text) for text in add]
    colors = [parse_tint(text) for text in tints]
    for name in remove:
        avatar = take_off(avatar, name)
    if learned is not None:
        avatar = add_looks(avatar, learned)
    if edited is not None and edited.portrait is not None:
        from ..pipeline.photo_edit import edit_from_photo  # late: the whole engine

        avatar = edit_from_photo(
            avatar,
            edited.portrait,
            edited.edited,
            edited.part,
            progress=progress,
            source=edited.source,
        )
    # Hair hangs over clothes; tints and hats lie on hair.
    first = [one for one in items if one[0].category in _FIRST]
    for request, value in sorted(first, key=lambda one: _FIRST.index(one[0].category)):
        avatar = put_on(avatar, request, value)
    for name, color, value in sorted(colors, key=lambda one: TINTED.index(one[0])):
        with _skipping(skipped):
            avatar = tint_part(avatar, name, color, value)
    for request, value in (one for one in items if one not in first):
        with _skipping(skipped):
            avatar = put_on(avatar, request, value)
    for name, value in (values or {}).items():
        with _skipping(skipped):
            avatar = set_attribute(avatar, name, value)
    return avatar


@contextmanager
def _skipping(skipped: Callable[[NothingToEditError], None] | None) -> Iterator[None]:
    try:
        yield
    except NothingToEditError as error:
        if skipped is None:
            raise
        skipped(error)


def edit_avatar_file(
    avatar: Path,
    out: Path,
    add: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    remove: Sequence[str] = (),
    edited: EditedPortrait | None = None,
    progress: Progress | None = None,
    tints: Sequence[str] = (),
    learned: LearnedLooks | None = None,
    restore: bool = False,
) -> Path:
    """Edit the attributes of an avatar file, and write the result.

    Args:
        avatar: the file.
        out: a name ending in .safetensors, or a folder, which gets ``avatar.safetensors``.
        add: as for :func:`edit_avatar`.
        values: as for :func:`edit_avatar`.
        remove: as for :func:`edit_avatar`.
        edited: as for :func:`edit_avatar`.
        progress: as for :func:`edit_avatar`.
        tints: as for :func:`edit_avatar`.
        learned: as for :func:`edit_avatar`.
        restore: as for :func:`edit_avatar`.

    Returns:
        The file that was written.

    Raises:
        LikenessError: as for :func:`edit_avatar`, or a file cannot be read or written.
    """
    before = load_editable_avatar(avatar)
    changed = edit_avatar(
        before, add, values, remove, edited, progress, tints, learned, restore=restore
    )
    file = out
    if out.suffix != _SUFFIX:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LikenessError(
                f"Cannot create '{out}': {error.strerror}.", "Choose another folder."
            ) from error
        file = out / FILE_NAME
    save_avatar(changed, file)
    return file


def list_wardrobe() -> dict[str, tuple[str, ...]]:
    """Return what the wardrobe has, by category; clothes come from a MakeHuman library."""
    return {**ITEMS, **dict.fromkeys(CLOTHES, ("FILE.mhclo",))}


def _parse_number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise LikenessError(
            f"'{text}' in '{whole}' is not a number.", "Write a number from 0 to 1."
        ) from error
