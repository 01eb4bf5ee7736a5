"""What to report of files that were read: how, what in them is not a row, and which columns were used."""

from __future__ import annotations

from dataclasses import dataclass, field

from imi.errors import Notice

_MOST = 1000


@dataclass
class Report:
    """Collects what readers say; each thing once, though files may be read twice.

    taken: the columns that were kept, in order; dropped: those that were not, with the reason; `ignored`: files of
    kinds that no reader knows; `names` gives a source the name that is shown for it, such as a member of an archive.
    """

    notices: dict[Notice, None] = field(default_factory=dict)
    taken: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def note(self, source: str, line: int | None, text: str) -> None:
        """Take something to know of a source; beyond a thousand, only files' first ones are kept."""
        if len(self.notices) < _MOST:
            name = self.names.get(source, source)
            self.notices[Notice(name, line, text.replace(source, name))] = None

    def ignore(self, path: str) -> None:
        """Note a file of a kind that no reader knows."""
        self.ignored[path] = None

    def take(self, column: str) -> None:
        """Note a column that is kept."""
        self.taken[column] = None

    def drop(self, column: str, reason: str) -> None:
        """Note a column that is not kept, and why."""
        self.dropped[column] = reason
