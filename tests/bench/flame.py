"""Where a worker's time goes at the peak: `python -m tests.bench.flame` draws docs/images/flame.svg from real samples.

py-spy, which has to be allowed to read another process's memory, looks at the worker 200 times a second, the stack of
its C parts too. Width is time, what stands on a frame was called by it. The kernel's part is in the frames that call it
(send, read, epoll).
"""

import argparse
import html
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import core, hub, remote
from tests.bench.figures import SMALL, Plan

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "flame.svg"
SAMPLES_PER_S, SECONDS = 200, 20
WIDTH, ROW, LETTER = 1200, 17, 6.6
LOOP = "uv_run"
"""The function of libuv that is the event loop."""
LEAST = 0.003
"""What took a smaller part is left out."""
COLOURS = {
    "hub/gateway": "#f4a261", "hub/rules": "#e9c46a", "hub/domain": "#a7c957", "hub/engine": "#84a98c",
    "hub/bus": "#8ecae6", "nats": "#a2d2ff", "msgspec": "#cdb4db", "": "#dddddd",
}  # fmt: skip
"""By the room whose code it is; all else is Python, uvloop and C."""


class Frame:
    """A function where it was called from, and how many samples were in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self.calls: dict[str, Frame] = {}

    def add(self, stack: list[str], samples: int) -> None:
        """Count what was seen in this function, which had called the rest of the stack."""
        self.samples += samples
        if stack:
            self.calls.setdefault(stack[0], Frame(stack[0])).add(stack[1:], samples)


def read(folded: str) -> Frame:
    """The tree of stacks that stand one a line, outermost function first, with a number of samples at the end.

    Only the event loop's work: not its sleep, not other threads, not what is below it.
    """
    root = Frame(LOOP)
    for line in folded.splitlines():
        stack, _, samples = line.rpartition(" ")
        names = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        loop = next((place for place, name in enumerate(names) if name.startswith(LOOP)), None)
        if loop is not None and not names[-1].startswith("epoll"):
            root.add(_told(names[loop + 1 :]), int(samples))
    return root


def _told(stack: list[str]) -> list[str]:
    """The stack without the interpreter's own steps: Python's functions, the loop's stages, and the innermost call."""
    named = [name for name in stack if not name.startswith(("0x", "?", "Py_", "_Py"))]
    return [name for name in named[:-1] if ".py)" in name or name.startswith("uv__")] + named[-1:]


def draw(root: Frame, title: str) -> str:
    """An SVG picture that needs no script; a frame's title shows on touch."""
    boxes = [*_boxes(root, 0, 0.0, root.samples)]
    height = (1 + max(depth for _, depth, _, _ in boxes)) * ROW + 28
    size = f'width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="monospace" font-size="11">'
        f'<rect {size} fill="#fff"/><text x="4" y="16">{html.escape(title)}</text>',
    ]
    for frame, depth, left, width in boxes:
        y = height - (depth + 1) * ROW - 4
        part = f"{100 * frame.samples / root.samples:.1f} %"
        fits = int(width * WIDTH / LETTER) - 1
        shown = frame.name if len(frame.name) <= fits else frame.name.partition(" (")[0][: max(fits, 0)]
        lines.append(
            f'<g><title>{html.escape(frame.name)}: {part}</title><rect x="{left * WIDTH:.1f}" y="{y}"'
            f' width="{width * WIDTH:.1f}" height="{ROW - 1}" fill="{_colour(frame.name)}"/>'
            + (f'<text x="{left * WIDTH + 2:.1f}" y="{y + 12}">{html.escape(shown)}</text>' if fits > 2 else "")
            + "</g>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _boxes(frame: Frame, depth: int, left: float, total: int) -> Iterator[tuple[Frame, int, float, float]]:
    width = frame.samples / total
    if width >= LEAST:
        yield frame, depth, left, width
        for called in sorted(frame.calls.values(), key=lambda one: -one.samples):
            yield from _boxes(called, depth + 1, left, total)
            left += called.samples / total


def _colour(name: str) -> str:
    return next(colour for room, colour in COLOURS.items() if room in name)


def sample(plan: Plan, seconds: int) -> str:
    """The folded stacks of the one worker of a hub at its peak."""
    py_spy = Path(sys.executable).parent / "py-spy"
    with hub.running(1, plan.agents_a_team) as node, remote.crowd(1, node.address) as crowd:
        core.settle(node.admin_token, crowd, plan)
        crowd.flow(plan.in_flight)
        time.sleep(plan.warm_up_s)
        (worker,) = node.processes()["worker"]
        with tempfile.NamedTemporaryFile(suffix=".folded") as file:
            subprocess.run(
                [py_spy, "record", "--native", "--function", "--format", "raw", "--rate", str(SAMPLES_PER_S),
                 "--duration", str(seconds), "--pid", str(worker), "--output", file.name],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            folded = Path(file.name).read_text()
        crowd.drain()
    return folded


def main() -> None:
    """Sample and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a short look at a small crowd, to see that it works")
    parser.add_argument("--to", type=Path, default=PICTURE, help="the picture's file")
    arguments = parser.parse_args()
    plan, seconds = (SMALL, 3) if arguments.small else (Plan(), SECONDS)
    root = read(sample(plan, seconds))
    title = f"a worker at its peak, {root.samples:,} samples; what took less than {100 * LEAST:.1f} % is left out"
    arguments.to.write_text(draw(root, title), encoding="utf-8")


if __name__ == "__main__":
    main()
