import warnings
from importlib import import_module

import numpy as np
import pytest

from imi import figures as plots
from imi import tasks
from imi.tasks.compare import Comparison, Scale
from tests.needs import needs

pytestmark = needs("matplotlib")


@pytest.fixture
def no_east_asian_font(monkeypatch):
    """A machine without such a font, whatever this one has."""
    monkeypatch.setattr(plots, "_fonts", lambda: ("DejaVu Sans",))
    plots._say_boxes.cache_clear()
    yield
    plots._say_boxes.cache_clear()


def drawn(*texts):
    figure, axes = plots.new_figure(3, 2)
    for at, text in enumerate(texts):
        axes.text(0.1, 0.2 * at, text)
    return figure


@pytest.mark.parametrize("text", ["猫が寝ています", "コーヒー", "ｶﾀｶﾅ", "고양이", "cost: $5"])
@pytest.mark.parametrize("kind", ["svg", "html"])
def test_text_stays_text_in_a_drawing(text, kind, tmp_path, no_east_asian_font):
    plots.save_figure(drawn(plots.short(text)), tmp_path / f"a.{kind}")
    page = (tmp_path / f"a.{kind}").read_text("utf-8")
    assert text in page and "Noto Sans CJK JP" in page and "sans-serif" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [("猫", "fonts-noto-cjk"), ("コーヒー", "Japanese text"), ("🫠", "some characters"), ("𓀀", "some characters")],
)
def test_boxes_are_told_of_once_with_what_to_do(text, said, tmp_path, no_east_asian_font):
    with pytest.warns(RuntimeWarning, match=said) as caught:
        plots.save_figure(drawn(text), tmp_path / "a.png")
        plots.save_figure(drawn(text), tmp_path / "b.png")
    assert len(caught) == 1 and "save the picture as .svg" in str(caught[0].message)
    assert (tmp_path / "b.png").stat().st_size > 500


def test_what_the_fonts_draw_needs_no_word(tmp_path, no_east_asian_font):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save_figure(drawn("cat, Größe, кот, → ±"), tmp_path / "a.png")


def test_many_pairs_keep_a_mark_of_their_own(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(import_module("imi.tasks.compare"), "save_figure", lambda figure, path: kept.append(figure))
    count = 15
    values = np.array([0.5 + 0.004 * at for at in range(count)])
    scale = Scale(0.1, 0.1, np.random.default_rng(0).normal(0.1, 0.1, 500))
    pairs = tuple((f"left {at}", f"right {at}") for at in range(count))
    Comparison(pairs, {"a": values, "b": values[::-1]}, {"a": scale, "b": scale}).figure(tmp_path / "a.png")
    axes = kept[0].axes[0]
    marks = {(line.get_color(), line.get_linestyle()) for line in axes.lines[:count]}
    assert len(marks) == count
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0] == "1  left 0 / right 0" and len(labels) == count
    assert [text.get_text() for text in axes.texts][:count] == [str(at + 1) for at in range(count)]
    kept[0].savefig(tmp_path / "drawn.png", dpi=kept[0].dpi)
    heights = sorted(text.get_window_extent().y0 for text in axes.get_legend().get_texts())
    assert min(np.diff(heights)) >= 8 * kept[0].dpi / 72, "no label covers another"


def test_predictions_are_drawn_within_the_column(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(import_module("imi.tasks.profiles"), "save_figure", lambda figure, path: kept.append(figure))
    rng = np.random.default_rng(0)
    stars = rng.integers(1, 6, 120).astype(float)
    z = rng.normal(size=(120, 8)).astype(np.float32)
    z[:, 0] += stars
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    owners = [[f"{kind}{at % count}" for at in range(120)] for kind, count in (("u", 12), ("p", 20))]
    found = tasks.profiles(z, owners, column=stars)
    assert 1 < found.predicted.mean() < 5, "on the scale of the column, of two kinds of profiles too"
    found.figure(tmp_path / "a.png")
    line = next(line for line in kept[0].axes[0].lines if line.get_marker() == "o")
    assert line.get_ydata().min() >= 1 and line.get_ydata().max() <= 5
