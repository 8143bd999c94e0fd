"""The error for what a user can fix, apart from :mod:`.types`: ``--help`` needs no numpy."""

from __future__ import annotations


class LikenessError(Exception):
    """An error that the user can fix: what is wrong, with which file, and what to do.

    Attributes:
        message: One sentence that names the file, where there is one.
        remedy: What the user can do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
