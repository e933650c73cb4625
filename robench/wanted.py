"""Which rows of the tables a question is about, so that no other's cells need be made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """The rows whose names begin the words of a question; all without words."""

    words: str | None = None
    """With single spaces."""
    paired: bool = True
    """Whether two rows held against each other are wanted too."""

    def row(self, *names: str) -> bool:
        """Tell whether a row is wanted that may be called any of `names`."""
        return self.words is None or any(begins(self.words, name) for name in names)

    def pair(self, first: str, second: str) -> bool:
        """Tell whether the row `first - second` is wanted."""
        return self.paired and self.row(f"{first} - {second}")

    @property
    def pairs(self) -> bool:
        """Tell whether any pair may be wanted; their number grows with the square of the rows."""
        return self.paired and (self.words is None or " - " in self.words)


def begins(words: str, name: str) -> bool:
    """Tell whether `words` are a name, or a name and more."""
    return words == name or words.startswith(f"{name} ")


ALL = Wanted()
"""Every row of every table."""
