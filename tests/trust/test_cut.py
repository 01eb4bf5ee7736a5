"""A file of the index that is cut or written to under a reader is damage that heals, and ends no process."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

import imi
from imi.index.policy import IndexPolicy

CODE = """
import os, sys, imi, numpy as np
from imi.index.policy import IndexPolicy
z = np.random.default_rng(0).standard_normal((4000, 64)).astype("f4")
policy = IndexPolicy(saved_rows=100, exact_rows=int(sys.argv[1]), tail_rows=100)
with imi.open("z.imi", policy=policy) as c:
    c.add([imi.Document(str(n), f"row {n}") for n in range(len(z))], z)
    c._index.settle()
    c._index.wait()
with imi.open("z.imi", mode=sys.argv[2], policy=policy) as c:
    assert c.search(z[3999], 1, mode="meaning")[0].id == "3999"
    for name in os.listdir("z.imi/index"):
        if name.startswith("vectors"):
            os.truncate(f"z.imi/index/{name}", 4096)
    for row in (3999, 0, 2000):
        assert c.search(z[row], 1, mode="meaning")[0].id == str(row)
    assert [hit.id for hit in c.search(z[5], 3, mode="meaning")] == [hit.id for hit in c.explain(z[5], 3, exact=True)]
print("alive")
"""


def test_nobody_dies_of_a_cut_file(tmp_path):
    for rows in ("500", "100000"):
        for mode in ("r", "rw"):
            where = tmp_path / f"{rows}{mode}"
            where.mkdir()
            done = subprocess.run(
                [sys.executable, "-c", CODE, rows, mode], cwd=where, capture_output=True, text=True, env=os.environ
            )
            assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-800:]


@pytest.mark.parametrize("rows", [100, 100_000])
@pytest.mark.parametrize("name", ["vectors", "words", "sums", "keys"])
def test_what_is_written_into_a_file_that_was_read_gives_no_wrong_answer(tmp_path, rows, name):
    z = np.random.default_rng(0).standard_normal((600, 32)).astype("f4")
    policy = IndexPolicy(saved_rows=100, exact_rows=rows, words_from=100)
    chance = random.Random(name)
    with imi.open(tmp_path / "c.imi", policy=policy) as c:
        c.add([imi.Document(str(n), f"row {n}") for n in range(len(z))], z)
        c.settle()
        c.wait()
        for at in range(6):
            # Once whole, so that all has been compared with its checksum before it is altered.
            assert c.search(z[at], 1, mode="meaning")[0].id == str(at)
            file = next(one for one in (tmp_path / "c.imi" / "index").rglob(f"{name}*-*"))
            with file.open("r+b") as open_file:
                open_file.seek(chance.randrange(file.stat().st_size))
                open_file.write(bytes(64) if at == 5 else chance.randbytes(64))
            for row in (599, 0, 300, at):
                assert c.search(z[row], 1, mode="meaning")[0].id == str(row)
                assert c.search(f'"row {row}"', 1, mode="text")[0].id == str(row)
