"""What only PostgreSQL has: the ladder in SQL, partitions, and parameters that nothing gets out of."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError
from imi.index.exact import Exact
from tests.examples import examples

ROWS, WIDTH = 3000, 64
NASTY = [
    "'",
    '"',
    "\\",
    "%",
    "%s",
    "{",
    "}",
    ";",
    "--",
    "/*",
    "$1",
    "|",
    "&",
    "!",
    ":",
    "<->",
    "(",
    ")",
    "*",
    "a",
    "猫",
    " ",
]
hostile = st.one_of(st.text(max_size=12), st.lists(st.sampled_from(NASTY), max_size=8).map("".join))


def matryoshka(rows, seed):
    """Vectors whose first numbers carry the most, as trained ones do."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(1).standard_normal((60, WIDTH))
    z = centres[random.integers(0, 60, rows)] + 0.6 * random.standard_normal((rows, WIDTH))
    return (z * 0.95 ** np.arange(WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def many(postgres):
    """Return a collection with an index, and its vectors."""
    z = matryoshka(ROWS, 0)
    with imi.open(postgres.url("many", partitions=2), model=None) as c:
        c.add([imi.Document(f"v{at}", None, {"n": at, "part": at % 10}) for at in range(ROWS)], vectors=z)
        c.engine.set_ladder("hnsw/16:200,32:60,64:10")
        yield c, z


def recall(c, z, queries, allowed=None, **how):
    rows = np.arange(len(z)) if allowed is None else np.flatnonzero(allowed)
    true = rows[Exact(z[rows]).search(queries, 10)[1]]
    share = []
    for query, wanted in zip(queries, true, strict=True):
        found = {hit.id for hit in c.search(query, k=10, mode="meaning", **how)}
        share.append(len(found & {f"v{row}" for row in wanted}) / 10)
    return float(np.mean(share))


def test_the_funnel_is_one_statement_over_an_expression_index(many):
    c, z = many
    hits = c.explain(z[5], k=3)
    assert hits[0].id == "v5" and hits[0].score == pytest.approx(1, abs=1e-3)
    assert hits.search["ladder"] == "hnsw.float32/16:200,32:60,64:10" or "16:200" in hits.search["ladder"]
    assert recall(c, z, matryoshka(20, 9)) >= 0.9
    scores, rows = Exact(z).search(z[:1], 5)
    exact = c.explain(z[0], k=5, exact=True)
    assert [hit.id for hit in exact] == [f"v{row}" for row in rows[0]]
    assert np.allclose([hit.score for hit in exact], scores[0], atol=2e-3)


def test_the_index_answers_and_not_a_scan(many, postgres):
    import psycopg
    from psycopg import sql

    from imi.backends.postgres.ladder import Column, ladder_statement, read_ladder

    _, z = many
    query, values = ladder_statement(
        sql.Identifier("imi_many"), Column(64, "halfvec"), read_ladder("16:200,64:10", 64), z[0], 10, None, 64
    )
    with psycopg.connect(postgres._server.get_uri()) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(line for (line,) in connection.execute(sql.SQL("EXPLAIN ") + query, values))
    assert "hnsw" in plan or "Index Scan" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("where", [{"part": 3}, {"n": {"<": 2900}}, {"part": {"!=": 3}}])
def test_filters_lose_no_recall(many, where):
    c, z = many
    n = np.arange(ROWS)
    allowed = n < 2900 if "n" in where else (n % 10 != 3 if isinstance(where["part"], dict) else n % 10 == 3)
    assert recall(c, z, matryoshka(10, 8), allowed, where=where) >= 0.9


def test_tuning_reaches_the_recall_that_was_asked_for(postgres):
    z = matryoshka(2000, 3)
    with imi.open(postgres.url("tuned")) as c:
        c.add([imi.Document(f"v{at}") for at in range(2000)], vectors=z)
        done = c.plan(0.95)
        assert done.recall >= 0.95 and done.chosen in done.tried and "postgresql" in done.note
        assert c.info.index["ladder"] == done.chosen.to_dict()["ladder"]
        assert recall(c, z, matryoshka(20, 4)) >= 0.9
        with pytest.raises(UsageError, match="target_recall"):
            c.plan(1.5)


@pytest.fixture(scope="module")
def pair(postgres, tmp_path_factory):
    """Return the same rows on PostgreSQL and in a folder."""
    rows = [
        imi.Document(f"{at}{nasty}", f"text {nasty} {at}", {nasty or "k": nasty, "n": at, "list": [nasty, at]})
        for at, nasty in enumerate(NASTY)
    ]
    folder = tmp_path_factory.mktemp("pair") / "pair.imi"
    with imi.open(postgres.url("pair"), model=HashEmbedder()) as c, imi.open(folder, model=HashEmbedder()) as oracle:
        c.add(rows)
        oracle.add(rows)
        yield c, oracle


values = st.one_of(hostile, st.integers(-5, 30), st.floats(-5, 30), st.booleans(), st.none())
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "in", "contains"])


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.one_of(st.sampled_from([*NASTY, "n", "list"]), hostile),
    operator=operators,
    value=values,
    others=st.lists(values, max_size=3),
    negate=st.booleans(),
)
def test_no_filter_gets_out_of_its_parameters(pair, name, operator, value, others, negate):
    c, oracle = pair
    where = {name: {operator: [value, *others] if operator == "in" else value}}
    where = {"not": where} if negate else where
    answers = []
    for one in (oracle, c):
        try:
            answers.append(one.count(where))
        except UsageError as error:
            answers.append(error.message.split("field")[-1])
    assert answers[0] == answers[1], where


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=hostile)
def test_no_query_gets_out_of_its_parameters(pair, query):
    c, oracle = pair
    if not query.strip():
        return
    mine = {hit.id for hit in c.search(query, k=50, mode="text")}
    assert mine == {hit.id for hit in oracle.search(query, k=50, mode="text")}
    assert len(c) == len(NASTY)


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=hostile)
def test_no_name_gets_out_of_its_quotes(postgres, pair, name):
    from urllib.parse import quote

    if not name:
        return
    if "\0" in name or "%" in name or len(name.encode()) > 40:
        with pytest.raises(UsageError, match="cannot be a table's"):
            imi.open(postgres.url(quote(name, safe="")), model=HashEmbedder())
        return
    with imi.open(postgres.url(quote(name, safe="")), model=HashEmbedder()) as c:
        c.add([imi.Document("1", "one row")])
        assert (len(c) == 1 and c.info.name == name) or "/" in name
    with imi.open(postgres.url("pair"), mode="r") as other:
        assert len(other) == len(NASTY)


def test_lists_over_a_prefix_are_a_ladder_too(postgres):
    z = matryoshka(2000, 5)
    with imi.open(postgres.url("lists")) as c:
        c.add([imi.Document(f"v{at}", None, {"n": at}) for at in range(2000)], vectors=z)
        c.engine.set_ladder("ivf.float16/32:60@30,64:10")
        assert recall(c, z, matryoshka(20, 6)) >= 0.9
        assert c.search(z[7], k=1, where={"n": {">=": 5}})[0].id == "v7"
        with pytest.raises(UsageError, match="not one of pgvector's"):
            c.engine.set_ladder("ivf.pq/32:60,64:10")
