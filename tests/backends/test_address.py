"""Addresses: what is a URL, what is a path, and what is shown of a secret."""

import pytest

from imi.backends.address import read_address
from imi.backends.schemes import is_address
from imi.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("reviews.imi", False),
        ("a/b:c.imi", False),
        ("C:\\reviews.imi", False),
        ("qdrant:folder?collection=c", True),
        ("milvus:one.db?collection=c", True),
        ("postgres://h/d?collection=c", True),
        ("nosuch://h", True),
    ],
)
def test_what_is_a_url(text, url):
    assert is_address(text) is url


def test_options_are_taken_out_and_the_rest_goes_to_the_driver():
    one = read_address(
        "postgres://me:p%40ss@h:5433/db?collection=caf%C3%A9&sslmode=require&partitions=4&prefixes=64,32"
    )
    assert one.engine == "postgresql" and one.name == "café" and one.place == "h:5433"
    assert one.url == "postgresql://me:p%40ss@h:5433/db?sslmode=require"
    assert one.number("partitions", 0) == 4 and one.numbers("prefixes") == (32, 64)
    assert "p%40ss" not in one.shown + repr(one) and "p@ss" not in one.shown + repr(one)
    assert one.scrub("it said p@ss\nand p%40ss") == "it said *** and ***"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgresql://h/d", "names no collection"),
        ("nosuch://h?collection=c", "not known"),
        ("qdrant://h?collection=c&nonsense=1", "nonsense"),
        ("postgresql://h:port/d?collection=c", "cannot be read"),
    ],
)
def test_wrong_urls_say_what_is_wrong(text, said):
    with pytest.raises(UsageError, match=said):
        read_address(text)


def test_wrong_options_say_what_is_allowed():
    one = read_address("qdrant://h?collection=c&quantization=int4&prefixes=a&patience=-1")
    with pytest.raises(UsageError, match="int8, binary"):
        one.choice("quantization", ("int8", "binary"))
    with pytest.raises(UsageError, match="separated by commas"):
        one.numbers("prefixes")
    with pytest.raises(UsageError, match="whole numbers"):
        one.number("patience", 1)
