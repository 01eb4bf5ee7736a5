"""Normalisation agrees with Python's wherever a script could be, and takes linear time everywhere."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imi.unicode_forms import normalize_form


@given(st.text(max_size=60), st.sampled_from(["NFC", "NFKC"]))
def test_texts_are_normalised_as_python_does(text, form):
    assert normalize_form(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u3099\u0323", "\U0001d165\U0001d16d", "\u05b0\u05bc\u0301"])
def test_long_runs_of_marks_are_cut_and_cost_no_more_than_their_length(marks):
    def took(size: int) -> float:
        began = time.process_time()
        normalize_form("NFKC", "a" + marks * size + " b")
        return time.process_time() - began

    assert normalize_form("NFC", "x" + marks * 1000 + "y").startswith("x")
    assert len(normalize_form("NFC", "x" + marks * 1000 + "y")) <= 32
    assert took(40_000) < 40 * max(took(4_000), 1e-3), "ten times the text, not a hundred times the time"
