"""What cannot be looked at is not gone."""

import pytest


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_file_that_cannot_be_looked_at_is_not_gone(tmp_path, monkeypatch, error):
    """As in a folder that may be listed and not entered, or on a disk that fails."""
    import imi
    from imi.text import walk as walking

    (tmp_path / "f").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "f" / name).write_text(f"text of {name}\n")

    class Entry:
        def __init__(self, entry):
            self._entry = entry

        def __getattr__(self, name):
            return getattr(self._entry, name)

        def stat(self, *, follow_symlinks=True):
            raise error

    real = walking._take
    with imi.open(tmp_path / "c.imi", model="hash") as c:
        c.add_files(tmp_path / "f", sync=True)
        monkeypatch.setattr(
            walking, "_take", lambda entry, *more: real(Entry(entry) if entry.name == "a.txt" else entry, *more)
        )
        added = c.add_files(tmp_path / "f", sync=True)
        assert len(c) == 2 and added.removed == 0 and any("a.txt" in one.source for one in added.failed)
