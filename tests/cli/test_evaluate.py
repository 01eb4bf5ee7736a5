import pytest


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.tsv").write_text("a\tb\tscore\ncat\t猫\t5\ncat\t車\t0\n", encoding="utf-8")
    return "pairs.tsv"


def test_models_are_measured_at_every_dims_asked_for(run, pairs):
    done = run("evaluate", pairs, "--model", "built-in", "--dims", "64,512", "--json")
    assert done.code == 0, done.err
    assert set(done.json) == {"built-in", "char n-grams"}
    figures = done.json["built-in"]["pairs"]
    assert set(figures) == {"512", "64"}
    assert figures["64"]["metric"] == "spearman" and figures["64"]["value"] == pytest.approx(1.0)
    assert figures["64"]["interval"][0] <= 1.0


def test_the_table_has_one_row_a_figure(run, pairs):
    done = run("evaluate", pairs, "--dims", "512", "--no-floors")
    assert done.code == 0 and len(done.rows) == 1 and done.rows[0][:4] == ["built-in", "pairs", "512", "spearman"]


def test_both_models_of_imi_stand_side_by_side(run, pairs, monkeypatch):
    monkeypatch.delenv("IMI_MODEL", raising=False)
    done = run("evaluate", pairs, "--dims", "64", "--no-floors")
    assert [row[:3] for row in done.rows] == [["built-in", "pairs", "64"], ["deep", "pairs", "64"]]
    done = run("evaluate", pairs, "--dims", "512,64", "--no-floors")
    assert {row[0] for row in done.rows} == {"built-in"} and "deep has 384 dimensions" in done.err


def test_results_go_to_files_too(run, pairs, tmp_path):
    pytest.importorskip("matplotlib")
    done = run("evaluate", pairs, "--out", "r.json", "--figure", "r.svg", "-q")
    assert done.code == 0, done.err
    assert "built-in" in (tmp_path / "r.json").read_text("utf-8") and "<svg" in (tmp_path / "r.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nothing"], 2, "no set 'nothing'"),
        (["jsick"], 2, "--data FOLDER"),
        (["jsick", "--data", "."], 1, "not there"),
        (["missing.tsv"], 1, "cannot be read"),
        ([], 2, "no public sets"),
        (["pairs.tsv", "--dims", "many"], 2, "dims is 'many'"),
        (["pairs.tsv", "--dims", "5000"], 2, "dims is 5000"),
        (["pairs.tsv", "--out", "r.txt"], 2, ".json"),
        (["pairs.tsv", "--figure", "r.txt"], 2, "use .png"),
    ],
)
def test_bad_use_ends_in_one_sentence(run, pairs, arguments, code, says):
    done = run("evaluate", *arguments)
    assert done.code == code and says in done.err and done.out == ""


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_the_figure_speaks_japanese_where_the_reader_does(run, pairs, tmp_path, monkeypatch, kind):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("IMI_LANG", "ja")
    done = run("evaluate", pairs, "--dims", "64,32", "--no-floors", "--figure", f"猫.{kind}", "-q")
    assert done.code == 0, done.err
    drawn = (tmp_path / f"猫.{kind}").read_text("utf-8")
    assert "使う次元数" in drawn and "pairs (spearman)" in drawn and "dimensions" not in drawn


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_figure_is_a_picture_of_the_kind_asked_for(run, pairs, tmp_path, kind, begins):
    pytest.importorskip("matplotlib")
    assert run("evaluate", pairs, "--dims", "64", "--no-floors", "--figure", f"r.{kind}", "-q").code == 0
    assert (tmp_path / f"r.{kind}").read_bytes().startswith(begins)
