"""The picture of docs/queueing.md, written by hand: no library draws it, no script runs in it, it knows dark pages."""

import html
from collections.abc import Sequence

from tests.simulation.day import CAPACITIES, OPENS, OVERFLOWS, Found, Policy

WIDTH, HEIGHT, TOP, BOTTOM = 860, 300, 56, 250
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a } .title { font-weight: 600; fill: #1f2328 }
.grid { stroke: #d0d7de; fill: none } .a { stroke: #9a6700; fill: #9a6700 } .b { stroke: #0969da; fill: #0969da }
.line { fill: none; stroke-width: 2 } .bar { stroke: none } text.a, text.b { stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #3d444d }
  .a { stroke: #d29922; fill: #d29922 } .b { stroke: #4493f8; fill: #4493f8 } .line { fill: none }
}
"""


class Panel:
    """A part of the picture with its own axes: x counts from 0, y from 0 to `highest`."""

    def __init__(self, left: int, right: int, steps: int, highest: float) -> None:
        self._left, self._width, self._steps, self._highest = left, right - left, steps, highest

    def x(self, at: float) -> float:
        """Where a step is."""
        return self._left + at * self._width / self._steps

    def y(self, value: float) -> float:
        """Where a value is."""
        return BOTTOM - value / self._highest * (BOTTOM - TOP)

    def frame(self, title: str, ticks: Sequence[str], unit: str, every: float) -> list[str]:
        """The title, the grid and its figures; one of `ticks` stands under each step."""
        parts = [_text(self._left, 20, title, "title")]
        for number in range(int(self._highest / every) + 1):
            y, value = self.y(number * every), f"{number * every:g}"
            parts.append(f'<path class="grid" d="M{self._left} {y:.1f}h{self._width}"/>')
            parts.append(_text(self._left - 6, y + 4, f"{value} {unit}" if number else value, anchor="end"))
        return parts + [_text(self.x(at), BOTTOM + 18, tick, anchor="middle") for at, tick in enumerate(ticks) if tick]

    def line(self, values: Sequence[float], kind: str) -> str:
        """The values in the middle of each step."""
        points = " ".join(f"{self.x(at + 0.5):.1f},{self.y(value):.1f}" for at, value in enumerate(values))
        return f'<polyline class="line {kind}" points="{points}"/>'

    def bar(self, at: float, width: float, low: float, high: float, kind: str) -> str:
        """From one value to another."""
        y, height = self.y(high), self.y(low) - self.y(high)
        return (
            f'<rect class="bar {kind}" x="{self.x(at):.1f}" y="{y:.1f}" width="{self.x(width) - self._left:.1f}"'
            f' height="{height:.1f}"/>'
        )


def draw(found: dict[Policy, Found]) -> str:
    """Waits in the course of the day with and without overflow; what more conversations at a time do."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>Waits by the hour and by capacity</title><style>{STYLE}</style>",
        *_hours(found[OVERFLOWS[0]], found[OVERFLOWS[2]]), *_capacities([found[policy] for policy in CAPACITIES]),
        "</svg>", "",
    ])  # fmt: skip


def _hours(without: Found, overflowing: Found) -> list[str]:
    lines = [[wait_s / 60 for wait_s in one.by_hour(0.95)] for one in (without, overflowing)]
    highest = max(max(line) for line in lines)
    panel = Panel(50, 420, len(lines[0]), highest * 1.05)
    ticks = [str(OPENS + at) if at % 2 == 0 else "" for at in range(len(lines[0]) + 1)]
    return [
        *panel.frame("19 of 20 wait less, by the hour of their coming", ticks, "min", 2 if highest > 4 else 1),
        panel.line(lines[0], "a"), panel.line(lines[1], "b"),
        _text(50, 38, OVERFLOWS[0].name, "a"), _text(160, 38, OVERFLOWS[2].name, "b"),
    ]  # fmt: skip


def _capacities(found: list[Found]) -> list[str]:
    bars = [(one.mean_s().mean / 60, one.talk_s() / 60) for one in found]
    panel = Panel(490, 840, len(bars), 1.05 * max(wait + talk for wait, talk in bars))
    parts = panel.frame("Minutes on average, by capacity", [], "min", 2)
    for at, (wait, talk) in enumerate(bars):
        parts += [panel.bar(at + 0.25, 0.5, 0, talk, "b"), panel.bar(at + 0.25, 0.5, talk, talk + wait, "a")]
        parts.append(_text(panel.x(at + 0.5), BOTTOM + 18, str(at + 1), anchor="middle"))
    return [*parts, _text(490, 38, "waiting", "a"), _text(560, 38, "talking", "b")]


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'
