"""Print the picture of docs/concepts.md: what robench makes of what, and by which command.

    python docs/making/data_flow.py > docs/figures/data-flow.svg

The ground is left transparent and every word stands on a ground of its own, so that the picture
reads on light pages and dark ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 720
LINE = 18
"""From one line of text to the next."""
DESCRIPTION = (
    "robench train turns a defense, a model and a data set into runs, whose checkpoints each have "
    "a validation accuracy. robench eval matches one checkpoint of each defense at the target "
    "accuracy, attacks it on the test images, white-box and black-box, keeps the outcome of each "
    "image, and audits it. robench report takes the nearest error of each image over all attacks, "
    "ranks by it, with ties, and writes the leaderboard and its records."
)


@dataclass(frozen=True)
class Box:
    """A thing that is stored or given: a heading, and lines that say what it holds. In pixels."""

    x: int
    y: int
    width: int
    heading: str
    lines: Sequence[str] = ()
    fill: str = "#dbe9f6"

    @property
    def height(self) -> int:
        """Return the height that the lines need."""
        return 2 * 12 + LINE * (1 + len(self.lines)) - 4

    def draw(self) -> Iterator[str]:
        """Yield the rectangle and its text, centred."""
        yield _rectangle(self.x, self.y, self.width, self.height, f'fill="{self.fill}"')
        middle = self.x + self.width // 2
        yield _text(middle, self.y + 26, self.heading, 'font-weight="600"')
        for place, line in enumerate(self.lines, start=1):
            yield _text(middle, self.y + 26 + LINE * place, line)


@dataclass(frozen=True)
class Stage:
    """What one command does: a frame around boxes, with the command upon its upper edge."""

    y: int
    height: int
    command: str

    def draw(self) -> Iterator[str]:
        """Yield the frame and the command."""
        style = 'fill="none" stroke="#8a8f98" stroke-dasharray="4 4"'
        yield _rectangle(4, self.y, WIDTH - 8, self.height, style)
        yield _rectangle(24, self.y - 13, 9 * len(self.command) + 20, 26, 'fill="#30363d"')
        style = 'fill="#f0f3f6" font-family="ui-monospace, monospace" text-anchor="start"'
        yield _text(34, self.y + 5, self.command, style)


INPUT, JUDGED, RESULT = "#f3e6c4", "#f6dbdb", "#d5ecd9"
STAGES = (
    Stage(20, 252, "robench train"),
    Stage(308, 336, "robench eval"),
    Stage(680, 232, "robench report"),
)
BOXES = (
    Box(28, 48, 208, "defense", ["a loss; its settings,", "among them its strength"], INPUT),
    Box(256, 48, 208, "model", ["the network that", "all defenses share"], INPUT),
    Box(484, 48, 208, "data set", ["training, validation", "and test images"], INPUT),
    Box(
        110,
        166,
        500,
        "runs",
        ["checkpoints along training and at its end,", "each with its validation accuracy"],
    ),
    Box(
        110,
        336,
        500,
        "matches",
        [
            "of each defense and seed the checkpoint at the target accuracy;",
            "chosen before any attack, by accuracy alone",
        ],
    ),
    Box(
        28,
        444,
        322,
        "white-box attacks",
        ["made on the matched network itself,", "on the test images"],
    ),
    Box(
        370,
        444,
        322,
        "black-box attacks",
        ["made on a network of another seed,", "the same for all rows"],
    ),
    Box(
        28,
        552,
        322,
        "outcomes, image by image",
        ["label, prediction, distance, success;", "measured again by robench itself"],
    ),
    Box(
        370,
        552,
        322,
        "audit",
        ["wrapper, attacks, hidden gradients:", "may this row be ranked?"],
        JUDGED,
    ),
    Box(28, 712, 322, "envelope", ["of each image the nearest error", "that any attack found"]),
    Box(
        370,
        712,
        322,
        "ranks",
        ["paired bootstrap over images and seeds;", "what it cannot tell apart is tied"],
    ),
    Box(
        110,
        820,
        500,
        "leaderboard",
        [
            "tables and figures with intervals, and the records",
            "that every number of them is computed from",
        ],
        RESULT,
    ),
)
ARROWS = (
    ((132, 122), (210, 166)),
    ((360, 122), (360, 166)),
    ((588, 122), (510, 166)),
    ((360, 240), (360, 336)),
    ((210, 410), (189, 444)),
    ((510, 410), (531, 444)),
    ((189, 518), (189, 552)),
    ((420, 518), (330, 552)),
    ((350, 589), (370, 589)),
    ((189, 626), (189, 712)),
    ((531, 626), (531, 712)),
    ((350, 749), (370, 749)),
    ((531, 786), (531, 820)),
)


def picture() -> str:
    """Return the picture as SVG."""
    height = STAGES[-1].y + STAGES[-1].height + 4
    shapes = [line for one in (*STAGES, *BOXES) for line in one.draw()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title description" '
            'font-family="system-ui, sans-serif" font-size="14" text-anchor="middle">',
            '<title id="title">What robench makes of what</title>',
            f'<desc id="description">{escape(DESCRIPTION)}</desc>',
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 10 5 0 10z" fill="#8a8f98"/>'
            "</marker></defs>",
            *shapes,
            *(_arrow(*start, *end) for start, end in ARROWS),
            "</svg>",
        ]
    )


def _rectangle(x: int, y: int, width: int, height: int, style: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" {style}/>'


def _text(x: int, y: int, text: str, style: str = "") -> str:
    fill = "" if "fill" in style else ' fill="#1f2328"'
    return f'<text x="{x}" y="{y}"{fill} {style}>{escape(text)}</text>'


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    line = f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"'
    return f'{line} stroke="#8a8f98" stroke-width="2" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    print(picture())
