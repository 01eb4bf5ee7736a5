from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imi import vectors
from imi.errors import UsageError
from tests.examples import examples

rows = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(-(2.0**20), 2.0**20, width=32),
)


def slow_cosine(a: np.ndarray, b: np.ndarray) -> float:
    up = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return up / math.sqrt(sum(float(x) ** 2 for x in a)) / math.sqrt(sum(float(y) ** 2 for y in b))


@given(rows, st.data())
@settings(max_examples=examples(100))
def test_truncate_is_the_unit_prefix(z: np.ndarray, data: st.DataObject) -> None:
    dims = data.draw(st.integers(1, z.shape[1]))
    if not (np.abs(z[:, :dims]).max(axis=1) > 0).all():
        with pytest.raises(UsageError, match="all zeros"):
            vectors.truncate(z, dims)
        return
    short = vectors.truncate(z, dims)
    assert short.shape == (len(z), dims) and short.dtype == np.float32
    lengths = [math.sqrt(sum(float(x) ** 2 for x in row)) for row in short]
    assert lengths == pytest.approx([1.0] * len(z), abs=1e-5)
    for before, after in zip(z, short, strict=True):
        assert slow_cosine(before[:dims], after) == pytest.approx(1.0, abs=1e-5)


def test_truncating_twice_is_truncating_once() -> None:
    z = np.random.default_rng(0).normal(size=(50, 64))
    np.testing.assert_allclose(vectors.truncate(vectors.truncate(z, 32), 8), vectors.truncate(z, 8), atol=1e-6)


def test_one_vector_is_a_batch_of_one() -> None:
    z = np.random.default_rng(0).normal(size=(3, 16))
    np.testing.assert_array_equal(vectors.truncate(z, 5)[1], vectors.truncate(z[1], 5))
    assert vectors.cosine(z[0], z[1]).shape == ()
    assert vectors.cosine(z[0], z).shape == (3,)
    assert vectors.cosine(z, z[0]).shape == (3,)


def test_huge_and_tiny_rows_keep_their_direction() -> None:
    z = np.array([[3e37, 4e37], [3e-37, 4e-37]], np.float32)
    np.testing.assert_allclose(vectors.normalize(z), [[0.6, 0.8], [0.6, 0.8]], atol=1e-6)
    np.testing.assert_allclose(vectors.norms(z), [5e37, 5e-37], rtol=1e-5)


@pytest.mark.parametrize("dims", [0, -1, 5, 2.0, "3", True, None])
def test_dims_outside_the_width_are_named(dims: object) -> None:
    with pytest.raises(UsageError, match="1 to the width, 4"):
        vectors.truncate(np.ones((2, 4)), dims)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused_with_their_row(bad: float) -> None:
    z = np.ones((5, 3))
    z[3, 1] = bad
    with pytest.raises(UsageError, match="row 3"):
        vectors.normalize(z)


def test_overflowing_sums_of_finite_numbers_are_no_fault() -> None:
    z = np.full((2, 4), 3e38, np.float32)
    np.testing.assert_allclose(vectors.normalize(z), 0.5, atol=1e-6)


def test_zero_rows_have_no_direction() -> None:
    with pytest.raises(UsageError, match="row 1 is all zeros"):
        vectors.cosine([[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0]])


@pytest.mark.parametrize("bad", [[["a"]], [[1.0], [1.0, 2.0]], 3.0, np.ones((1, 1, 1)), np.ones((2, 0))])
def test_what_is_no_matrix_is_refused(bad: object) -> None:
    with pytest.raises(UsageError):
        vectors.normalize(bad)  # type: ignore[arg-type]


@given(rows)
@settings(max_examples=examples(60))
def test_int8_is_within_half_a_step(z: np.ndarray) -> None:
    codes = vectors.quantize(z, "int8")
    assert codes.codes.dtype == np.int8
    step = codes.scale.astype(np.float64)
    assert (np.abs(codes.restore() - z.astype(np.float64)) <= step * 0.5001 + np.abs(z) * 1e-6 + 1e-37).all()


def test_queries_are_coded_on_the_documents_scale() -> None:
    z = np.random.default_rng(1).normal(size=(20, 8))
    documents = vectors.quantize(z)
    queries = vectors.quantize(z[:3] * 2, scale=documents.scale)
    np.testing.assert_array_equal(queries.scale, documents.scale)
    assert np.abs(queries.codes).max() == 127
    with pytest.raises(UsageError, match=r"\(8,\)"):
        vectors.quantize(z, scale=np.ones(7))


@given(rows)
@settings(max_examples=examples(60))
def test_binary_keeps_the_sign_and_hamming_counts(z: np.ndarray) -> None:
    codes = vectors.quantize(z, "binary")
    np.testing.assert_array_equal(codes.restore() > 0, z > 0)
    slow = [[int(((a > 0) != (b > 0)).sum()) for b in z] for a in z]
    np.testing.assert_array_equal(vectors.hamming(codes.codes, codes.codes), slow)


def test_metrics_have_their_textbook_meaning() -> None:
    a, b = np.array([[3.0, 4.0]]), np.array([[6.0, 8.0], [4.0, -3.0]])
    np.testing.assert_allclose(vectors.dot(a, b), [[50.0, 0.0]])
    np.testing.assert_allclose(vectors.cosine(a, b), [[1.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(vectors.l2(a, b), [[5.0, math.sqrt(50)]], rtol=1e-6)
    np.testing.assert_allclose(vectors.similarity(a, b, "l2"), [[-5.0, -math.sqrt(50)]], rtol=1e-6)
    with pytest.raises(UsageError, match="cosine, dot, l2"):
        vectors.similarity(a, b, "manhattan")  # type: ignore[arg-type]


def test_widths_that_differ_are_named() -> None:
    for measure in (vectors.dot, vectors.cosine, vectors.l2):
        with pytest.raises(UsageError, match="3 and 4"):
            measure(np.ones((1, 3)), np.ones((1, 4)))


@pytest.mark.parametrize("shape", [((4,), (4,)), ((4,), (3, 4)), ((3, 4), (4,)), ((2, 4), (3, 4))])
def test_l2_returns_the_axes_it_was_given(shape: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=shape[0]), rng.normal(size=shape[1])
    slow = np.linalg.norm(np.atleast_2d(a)[:, None] - np.atleast_2d(b)[None], axis=-1)
    np.testing.assert_allclose(vectors.l2(a, b), slow.reshape(a.shape[:-1] + b.shape[:-1]), rtol=1e-5)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(1, 35))
@settings(max_examples=examples(100))
def test_top_k_agrees_with_sorting_and_breaks_ties_by_place(scores: list[int], k: int) -> None:
    best, places = vectors.top_k(np.array(scores, np.float32), k)
    oracle = sorted(range(len(scores)), key=lambda at: (-scores[at], at))[:k]
    assert places.tolist() == oracle
    assert best.tolist() == [scores[at] for at in oracle]
