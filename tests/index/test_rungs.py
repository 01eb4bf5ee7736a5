import pytest

from imi.errors import UsageError
from imi.index.rungs import Rung, check_rungs, format_ladder, parse_ladder


def test_the_plain_form_is_read():
    rungs = parse_ladder("64:200, 512:10", 512)
    assert rungs == (Rung(64, 200, "float32", "flat"), Rung(512, 10))
    assert parse_ladder("64:200,512", 512)[1].keep == 10


def test_the_whole_form_comes_back_as_it_was():
    text = "symphonyqg.int8/128r:100@120,rerank.int8/256:30,512:10"
    rungs = parse_ladder(text, 512)
    assert format_ladder(rungs) == text
    assert rungs[0].rotated
    assert tuple(Rung.from_dict(rung.to_dict()) for rung in rungs) == rungs


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "cannot be read"),
        ("64:x,512:10", "64:x"),
        ("64,512:10", "64"),
        ("600:20,512:10", "600"),
        ("64:0", "at least 1"),
        ("64:10,512:20", "keep must not grow"),
        ("64:20,32:10", "dims must not fall"),
        ("tree/64:20", "tree"),
        ("flat.int4/64:20", "int4"),
        ("hnsw.pq/64:20", "hnsw holds"),
        ("symphonyqg/32:20", "at least 64"),
        ("64:20,hnsw/512:10", "only the first"),
        ("64:20,rerank.binary/512:10", "later codecs"),
    ],
)
def test_what_cannot_be_is_named(text, named):
    with pytest.raises(UsageError) as caught:
        parse_ladder(text, 512)
    assert named in str(caught.value)


def test_no_rungs_are_no_ladder():
    with pytest.raises(UsageError, match="at least one"):
        check_rungs((), 8)
