"""Text of plugins and records, made safe to print on a terminal."""

KEPT = "\n\N{NO-BREAK SPACE}"
"""What the harness itself prints beside printable characters."""


def visible(text: str) -> str:
    """Return `text` with what a terminal would obey, or show nothing of, written out as `\\x1b`.

    Control characters move the cursor or rename the window; those of bidirectional text show
    words in another order than they stand in.
    """
    return "".join(c if c.isprintable() or c in KEPT else ascii(c)[1:-1] for c in text)
