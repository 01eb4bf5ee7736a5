"""The threads of native libraries: they sleep while they wait, unless the user chose otherwise."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
from imi.index.native import load_faiss
before = os.environ.get("OMP_WAIT_POLICY")
load_faiss()
assert os.environ.get("OMP_WAIT_POLICY") == before
"""


@pytest.mark.parametrize(("chosen", "holds"), [(None, "PASSIVE"), ("active", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_the_user_chose(chosen, holds):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    environment |= {"OMP_DISPLAY_ENV": "true"} | ({"OMP_WAIT_POLICY": chosen} if chosen else {})
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if "OMP_WAIT_POLICY" not in done.stderr:
        pytest.skip("this OpenMP does not say what holds")
    assert f"OMP_WAIT_POLICY = '{holds}'" in done.stderr
