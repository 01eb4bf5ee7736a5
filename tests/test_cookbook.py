import asyncio
import warnings

import numpy as np
import pytest

import imi
from imi.cookbook import (
    aget_embedding,
    aget_embeddings,
    cosine_similarity,
    count_tokens,
    distances_from_embeddings,
    embed_reviews,
    get_embedding,
    get_embeddings,
    indices_of_nearest_neighbors_from_distances,
    load_embeddings,
    load_reviews,
    pca_components_from_embeddings,
    save_embeddings,
    search_reviews,
    tsne_components_from_embeddings,
)
from imi.errors import DataError, UsageError
from tests.needs import needs

pytestmark = needs("pandas")


@pytest.fixture(scope="module")
def frame(data, embedder):
    return load_reviews(data / "reviews.csv", model=embedder)


def test_reviews_are_the_newest_with_title_and_text_combined(data, embedder, frame):
    assert len(frame) == 60 and frame.Time.is_monotonic_increasing
    assert frame.loc[26].combined.startswith("Title: Real maple flavour; Content: Pure maple syrup")
    assert frame.n_tokens.tolist() == [len(text) for text in frame.combined]
    newest = load_reviews(data / "reviews.csv", newest=10, model=embedder)
    assert newest.index.tolist() == frame.index.tolist()[-10:]
    short = load_reviews(data / "reviews.csv", max_tokens=100, newest=None, model=embedder)
    assert 0 < len(short) < 60 and short.n_tokens.max() <= 100


def test_the_id_column_may_be_missing_or_without_a_name(tmp_path, data, embedder, frame):
    lines = (data / "reviews.csv").read_text("utf-8").splitlines()
    (tmp_path / "bare.csv").write_text("\n".join(line.split(",", 1)[1] for line in lines), "utf-8")
    (tmp_path / "index.csv").write_text("\n".join([lines[0].removeprefix("Id"), *lines[1:]]), "utf-8")
    bare = load_reviews(tmp_path / "bare.csv", model=embedder)
    assert bare.combined.tolist() == frame.combined.tolist()
    assert load_reviews(tmp_path / "index.csv", model=embedder).index.tolist() == frame.index.tolist()


def test_embeddings_are_written_as_literal_lists_and_read_back_exactly(tmp_path, frame, embedder):
    embedded = embed_reviews(frame, embedder)
    save_embeddings(embedded, tmp_path / "with_embeddings.csv")
    assert ',"[' in (tmp_path / "with_embeddings.csv").read_text("utf-8").splitlines()[1]
    back = load_embeddings(tmp_path / "with_embeddings.csv")
    np.testing.assert_array_equal(np.stack(back.embedding), np.stack(embedded.embedding))
    assert back.combined.tolist() == embedded.combined.tolist()


def test_search_returns_the_nearest_and_shows_them(frame, embedder, capsys):
    embedded = embed_reviews(frame, embedder)
    results = search_reviews(embedded, "delicious black beans", n=3, model=embedder)
    assert any(text.startswith("Delicious black beans:  Soft, earthy") for text in results)
    z = np.stack(embedded.embedding) @ embedder.embed(["delicious black beans"], kind="query")[0]
    assert results.index.tolist() == embedded.index[np.argsort(-z, kind="stable")[:3]].tolist()
    assert capsys.readouterr().out == "".join(f"{text[:200]}\n\n" for text in results)
    assert len(search_reviews(embed_reviews(frame, embedder, dims=16), "beans", 2, False, embedder)) == 2
    assert capsys.readouterr().out == ""
    with pytest.raises(UsageError, match="n is 0"):
        search_reviews(embedded, "beans", n=0, model=embedder)


def test_the_small_helpers(embedder):
    vector = get_embedding("two\nlines", embedder)
    assert vector == embedder.embed(["two lines"])[0].tolist()
    assert len(get_embedding("x", embedder, dims=16)) == 16
    assert cosine_similarity([1, 0], [1, 1]) == pytest.approx(2**-0.5)


def test_tokens_as_on_the_slides():
    pytest.importorskip("bpe_openai")
    assert count_tokens(["cat", "猫", "Title: a; Content: b"], "cl100k_base")[:2] == [1, 3]


def test_bad_files(tmp_path, data, embedder):
    with pytest.raises(DataError, match="no such file"):
        load_reviews(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="no column 'Time', it has: a, b"):
        load_reviews(tmp_path / "a.csv", model=embedder)
    with pytest.raises(DataError, match="no column 'embedding'"):
        load_embeddings(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("embedding\nnonsense(\n")
    with pytest.raises(DataError, match="row 2 holds no list"):
        load_embeddings(tmp_path / "b.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="is not CSV"):
        load_reviews(tmp_path / "empty.csv", model=embedder)


def test_the_seminars_thousand(shared_data, embedder):
    with_id = load_reviews(shared_data / "fine_food" / "fine_food_reviews_1k.csv", model=embedder)
    full = load_reviews(shared_data / "fine_food" / "Reviews_first1000.csv", model=embedder)
    assert (len(with_id), len(full)) == (1000, 1000)
    ada = load_embeddings(shared_data / "embeddings" / "ada002_ru_100_with_embeddings.csv.gz")
    z = np.stack(ada.embedding)
    assert z.shape == (100, 1536)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-3)


def test_a_name_of_another_house_is_answered_by_the_built_in_model_and_said_once():
    with pytest.warns(UserWarning, match="'text-embedding-3-small' is not a model of this machine"):
        first = get_embedding("a cat", model="text-embedding-3-small")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert first == get_embedding("a cat", model="text-embedding-3-small") == get_embedding("a\ncat")
    with pytest.warns(UserWarning, match="ada-002"):
        assert get_embedding("a cat", engine="text-embedding-ada-002") == first
    with pytest.raises(UsageError):
        get_embedding("a cat", model="nowhere:model")


def test_the_names_of_the_older_helpers_do_what_they_did(embedder):
    texts = ["a cat", "a dog", "the sum of two numbers", "a kitten", "minus one", "three"]
    vectors = get_embeddings(texts, embedder)
    assert asyncio.run(aget_embedding("a cat", embedder)) == vectors[0]
    assert asyncio.run(aget_embeddings(texts, embedder)) == vectors
    distances = distances_from_embeddings(vectors[0], vectors)
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[1] == pytest.approx(1 - cosine_similarity(vectors[0], vectors[1]), abs=1e-6)
    assert indices_of_nearest_neighbors_from_distances([0.3, 0.1, 0.2, 0.1]).tolist() == [1, 3, 2, 0]
    z = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert [distances_from_embeddings(z[0], z, name)[1] for name in ("L1", "L2", "Linf")] == [7, 5, 4]
    with pytest.raises(UsageError, match="dot"):
        distances_from_embeddings(z[0], z, "dot")
    plane = pca_components_from_embeddings(vectors)
    assert plane.shape == (6, 2) and np.var(plane[:, 0]) >= np.var(plane[:, 1])
    assert tsne_components_from_embeddings(vectors).shape == (6, 2)
    with pytest.raises(UsageError, match="n_components is 3"):
        tsne_components_from_embeddings(vectors, 3)


def test_the_slides_search_runs_on_what_export_writes(tmp_path, frame, embedder):
    import pandas

    with imi.open(tmp_path / "reviews.imi", model=embedder) as collection:
        collection.add([imi.Document(str(key), text) for key, text in frame.combined.items()])
        collection.export(tmp_path / "r.csv", text_column="combined")
        with pytest.raises(UsageError, match="called 'combined' in"):
            collection.export(tmp_path / "r.jsonl", text_column="combined")
        with pytest.raises(UsageError, match="cannot be called 'id'"):
            collection.export(tmp_path / "r.csv", text_column="id")
    table = pandas.read_csv(tmp_path / "r.csv")
    table["embedding"] = table.embedding.apply(eval).apply(np.array)  # as on the slide
    found = search_reviews(table, "delicious black beans", n=3, pprint=False, model=embedder)
    assert len(found) == 3 and found.iloc[0]
    with imi.open(tmp_path / "again.imi", model=embedder) as again:
        again.import_(tmp_path / "r.csv")
        assert again.get(str(frame.index[0])).text == frame.combined.iloc[0]
