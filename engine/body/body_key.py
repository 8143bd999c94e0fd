"""A body as the key of a cache."""

from __future__ import annotations

from .model import Body


class BodyKey:
    """Equal to another key where both hold one and the same body.

    Args:
        body: stays alive as long as the key.
    """

    def __init__(self, body: Body) -> None:
        self.body = body

    def __hash__(self) -> int:
        return id(self.body)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BodyKey) and other.body is self.body
