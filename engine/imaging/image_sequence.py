"""Numbered pictures in a folder: clips with transparency for compositing programs."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import FloatArray, LikenessError
from ..files.atomic import atomic_write_files
from .video_writer import FORMATS, to_uint8

_NUMBER = re.compile(r"%0?(\d*)d|#+")
_COMPRESSION = 4  # zlib's; a third of the default's time for a twentieth more bytes


class NumberedFiles:
    """File names with a frame number from 0: ``frame_%04d.png`` or ``frame_####.png``.

    Attributes:
        pattern: The path with the number's placeholder.

    >>> NumberedFiles(Path("out/a_##.png")).path(7).as_posix()
    'out/a_07.png'
    """

    def __init__(self, pattern: Path) -> None:
        self.pattern = pattern
        found = _NUMBER.findall(pattern.name)
        if len(found) != 1:
            raise LikenessError(
                f"'{pattern}' is the name of one picture; a clip is many.",
                "Name a folder, or put the number's place into the name: frame_%04d.png.",
            )
        match = _NUMBER.search(pattern.name)
        assert match is not None
        digits = int(match[1] or 1) if match[0].startswith("%") else len(match[0])
        self._before, self._after = pattern.name[: match.start()], pattern.name[match.end() :]
        self._digits = digits

    def path(self, number: int) -> Path:
        """Return the file of one frame."""
        name = f"{self._before}{number:0{self._digits}d}{self._after}"
        return self.pattern.with_name(name)

    def beyond(self, count: int) -> list[Path]:
        """Return the files of the pattern that a clip of ``count`` frames would not replace."""
        folder = self.pattern.absolute().parent
        if not folder.is_dir():
            return []
        name = re.compile(re.escape(self._before) + r"(\d+)" + re.escape(self._after))
        found = []
        for entry in folder.iterdir():
            match = name.fullmatch(entry.name)
            if match and entry.name != self.path(int(match[1])).name:
                continue
            if match and int(match[1]) >= count:
                found.append(entry)
        return sorted(found)


def parse_numbered(out: Path) -> NumberedFiles | None:
    """Parse an output as numbered pictures: a folder or a pattern.

    Args:
        out: The value of ``-o``.

    Returns:
        None for a video's name.

    Raises:
        LikenessError: It is neither.
    """
    if out.is_dir() or not out.suffix:
        return NumberedFiles(out / "frame_%04d.png")
    if out.suffix.lower() == ".png":
        return NumberedFiles(out)
    if out.suffix.lower() in FORMATS:
        return None
    raise LikenessError(
        f"'{out}' has no format for a clip.",
        f"Choose a name that ends in {', '.join(FORMATS)}; or a folder, or frame_%04d.png, for "
        "numbered pictures.",
    )


class ImageSequenceWriter:
    """Writes numbered PNG files, atomically, in a ``with`` block.

    Args:
        names: Names of the files.
        width: Width of the frames in pixels.
        height: Height of the frames in pixels.
        alpha: Frames are [H, W, 4] with straight alpha.
    """

    def __init__(
        self, names: NumberedFiles, width: int, height: int, *, alpha: bool = False
    ) -> None:
        self.names = names
        self._shape = (height, width, 4 if alpha else 3)
        self._written = 0

    def __enter__(self) -> ImageSequenceWriter:
        with ExitStack() as stack:
            self._scratch = stack.enter_context(
                atomic_write_files(self.names.pattern.absolute().parent)
            )
            self._stack = stack.pop_all()
        return self

    def write(self, picture: FloatArray | NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            picture: [H, W, 3] or, with ``alpha``, [H, W, 4]; float in 0..1 or uint8.

        Raises:
            ValueError: The frame has another shape.
            LikenessError: It cannot be written.
        """
        if picture.shape != self._shape:
            raise ValueError(f"expected {self._shape}, got {picture.shape}")
        target = self._scratch / self.names.path(self._written).name
        try:
            Image.fromarray(to_uint8(picture)).save(target, compress_level=_COMPRESSION)
        except OSError as error:
            raise LikenessError(
                f"Cannot write '{self.names.pattern}': {error.strerror or error}.",
                "Choose a folder that exists and has room.",
            ) from error
        self._written += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
