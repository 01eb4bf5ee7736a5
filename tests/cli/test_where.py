import pytest

from imi.cli.where import parse_filter, parse_where
from imi.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Score>=4", {"Score": {">=": 4}}),
        ("Score >= 4.5", {"Score": {">=": 4.5}}),
        ("a<b", {"a": {"<": "b"}}),
        ("Score!=4", {"Score": {"!=": 4}}),
        ("tag==x", {"tag": {"=": "x"}}),
        ("tag=x", {"tag": {"=": "x"}}),
        ('tag="4"', {"tag": {"=": "4"}}),
        ("tag='4'", {"tag": {"=": "4"}}),
        ("ok=true", {"ok": {"=": True}}),
        ("gone=null", {"gone": {"=": None}}),
        ("tag in a,b", {"tag": {"in": ["a", "b"]}}),
        ("n IN [1, 2]", {"n": {"in": [1, 2]}}),
        ("n not in 1,2", {"not": {"n": {"in": [1, 2]}}}),
        ("title contains bean soup", {"title": {"contains": "bean soup"}}),
        ("two words=x", {"two words": {"=": "x"}}),
        ("name=foo in bar", {"name": {"=": "foo in bar"}}),
        ("url=http://a?b=c", {"url": {"=": "http://a?b=c"}}),
        ('{"or": [{"a": 1}, {"not": {"b": {"<": 2}}}]}', {"or": [{"a": 1}, {"not": {"b": {"<": 2}}}]}),
        ("price>=$1,200.50", {"price": {">=": 1200.5}}),
        ("price<1.234,56 €", {"price": {"<": 1234.56}}),
        ("price<3,000円", {"price": {"<": 3000}}),
        ("share>=12.5%", {"share": {">=": 12.5}}),
        ("share=(5)", {"share": {"=": "(5)"}}),
        ("paid=yes", {"paid": {"in": ["yes", True]}}),
        ("paid!=いいえ", {"not": {"paid": {"in": ["いいえ", False]}}}),
        ("paid=TRUE", {"paid": {"in": ["TRUE", True]}}),
        ("paid='yes'", {"paid": {"=": "yes"}}),
        ("x=NaN", {"x": {"=": "NaN"}}),
        ("都市=京都", {"都市": {"=": "京都"}}),
    ],
)
def test_what_people_type(typed, meant):
    assert parse_filter(typed) == meant


@pytest.mark.parametrize("typed", ["", "Score", "Score>=", ">=4", "{", "{}", "in a,b"])
def test_what_cannot_be_read_shows_what_can(typed):
    with pytest.raises(UsageError) as raised:
        parse_filter(typed)
    assert "Score>=4" in raised.value.hint


def test_several_must_all_hold():
    assert parse_where([]) is None
    assert parse_where(["a=1"]) == {"a": {"=": 1}}
    assert parse_where(["a=1", "b=2"]) == {"and": [{"a": {"=": 1}}, {"b": {"=": 2}}]}
