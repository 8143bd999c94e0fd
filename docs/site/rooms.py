"""Draw the rooms of the code and who imports whom: docs/images/rooms.svg, from the source.

    python docs/site/rooms.py

Rooms stand on floors: each imports only what stands lower. An arrow is left out where a longer way
leads to the same room, so that the picture stays readable.
"""

from __future__ import annotations

import ast
import html
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
WING = {"dataset", "bake", "synth", "training", "generative", "evaluation"}
WIDTH, BOX, HEIGHT, FLOOR = 960, 104, 30, 62  # pixels
COLORS = {"product": "#dbe9f6", "wing": "#f9e3c8", "blender": "#e2efda"}


def find_room(path: Path) -> str:
    """The room of a file or folder below the root; empty for loose files and other folders."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "engine":
        return parts[1] if len(parts) > 1 and (ROOT / "engine" / parts[1]).is_dir() else ""
    return parts[0] if parts[0] in ("addon", "operators", "panels") else ""


def find_imports(path: Path) -> Iterator[str]:
    """The rooms that a file imports by relative imports, wherever they stand in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for name in [base, *(base / alias.name for alias in node.names)]:
                room = find_room(name) if name.is_relative_to(ROOT) and name != ROOT else ""
                if room:
                    yield room


def read_graph() -> dict[str, set[str]]:
    """Each room with the rooms that it imports."""
    graph: dict[str, set[str]] = {}
    for top in ("engine", "addon", "operators", "panels"):
        for path in sorted((ROOT / top).rglob("*.py")):
            room = find_room(path.parent)
            if room:
                graph.setdefault(room, set()).update({*find_imports(path)} - {room})
    return graph


def reachable(graph: dict[str, set[str]], room: str) -> set[str]:
    """All rooms that a room imports, directly or through others."""
    found: set[str] = set()
    waiting = [*graph[room]]
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += graph[other]
    return found


def reduce_graph(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph without edges for which a longer way exists."""
    below = {room: reachable(graph, room) for room in graph}
    return {
        room: {one for one in near if not any(one in below[other] for other in near - {one})}
        for room, near in graph.items()
    }


def place_rooms(graph: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """The middle of every room's box, in pixels: floors by the longest way to the ground."""
    floors: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in floors:
            floors[room] = 1 + max((floor(other) for other in graph[room]), default=-1)
        return floors[room]

    top = max(floor(room) for room in graph)
    places: dict[str, tuple[float, float]] = {}
    for level in range(top + 1):
        rooms = [room for room in graph if floors[room] == level]

        def wish(room: str) -> float:
            under = [places[other][0] for other in graph[room] if other in places]
            return sum(under) / len(under) if under else WIDTH / 2

        rooms.sort(key=lambda room: (room in WING, wish(room), room))
        shift = 0.13 if level % 2 else -0.13  # so that arrows pass beside boxes
        for k, room in enumerate(rooms):
            x = WIDTH * (k + 0.5 + shift) / len(rooms)
            places[room] = x, FLOOR * (top - level + 0.5)
    return places


def draw_rooms() -> str:
    """The picture as SVG text."""
    graph = read_graph()
    edges, places = reduce_graph(graph), place_rooms(graph)
    tall = max(y for _, y in places.values()) + FLOOR / 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall:.0f}" '
        'font-family="sans-serif" font-size="14">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{tall:.0f}" fill="#fff"/>',
    ]
    for room in sorted(edges):
        for other in sorted(edges[room]):
            (x0, y0), (x1, y1) = places[room], places[other]
            middle = (y0 + y1) / 2
            lines.append(
                f'<path d="M{x0:.0f} {y0 + HEIGHT / 2:.0f}C{x0:.0f} {middle:.0f} {x1:.0f} '
                f'{middle:.0f} {x1:.0f} {y1 - HEIGHT / 2 - 1:.0f}" fill="none" stroke="#99a" '
                'marker-end="url(#tip)"/>'
            )
    for room in sorted(places):
        x, y = places[room]
        blender = room in ("addon", "operators", "panels")
        color = COLORS["blender" if blender else "wing" if room in WING else "product"]
        lines.append(
            f'<rect x="{x - BOX / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{BOX}" '
            f'height="{HEIGHT}" rx="5" fill="{color}" stroke="#667"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{html.escape(room)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw_rooms(), encoding="utf-8")
