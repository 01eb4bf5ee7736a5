"""Amounts as people write them."""

import pytest

from imi.amounts import read_amount
from imi.text.readers.columns import columns_of


@pytest.mark.parametrize(
    ("text", "value", "unit", "style"),
    [
        ("$1,200.50", 1200.5, "$", "point"),
        ("US$ 5", 5, "$", None),
        ("-$5", -5, "$", None),
        ("$-5", -5, "$", None),
        ("($300)", -300, "$", None),
        ("$(300)", -300, "$", None),
        ("3,000円", 3000, "¥", None),
        ("￥1,234,567", 1234567, "¥", "point"),
        ("1.234,56 €", 1234.56, "€", "comma"),
        ("1 234,56 €", 1234.56, "€", "comma"),
        ("CHF 1'200.50", 1200.5, "CHF", "point"),
        ("12,5%", 12.5, "%", "comma"),
        ("１２．５％", 12.5, "%", "point"),
        ("▲1,200", -1200, "", None),
        ("−5", -5, "", None),
        ("1e5", 100000.0, "", None),
    ],
)
def test_amounts(text, value, unit, style):
    found = read_amount(text)
    assert found is not None and (found.value, found.unit, found.style) == (value, unit, style)


@pytest.mark.parametrize(
    "text",
    ["", "5", "$", "%", "$007", "$5 off", "€5€", "--5", "(-5)", "$1,20,0", "1.2.3", "12.34.56", "192.168.10.1", "1,2,3",
     "(5", "5)", "1234567890123456789 €", "0.1234567890123456789 €", "1e999", "5 kg", "+81312345678", "555 123"],
)  # fmt: skip
def test_what_is_no_amount(text):
    assert read_amount(text) is None


def test_a_column_says_what_a_lone_mark_is():
    assert (read_amount("€1.200", "comma").value, read_amount("€1.200", "point").value) == (1200, 1.2)


@pytest.mark.parametrize("cells", [("1,234.5", "2.345,5"), ("1,234,567", "2,5"), ("12,345.67", "1,5", "2,25")])
def test_a_column_in_two_styles_is_one_of_texts(cells):
    assert columns_of(["a"], [[[cell] for cell in cells]]).kinds == {"a": "text"}


@pytest.mark.parametrize(("cells", "values"), [(("1,234.5", "2,345"), [1234.5, 2345]), (("1.234,5", "2"), [1234.5, 2])])
def test_a_column_in_one_style_is_one_of_numbers(cells, values):
    columns = columns_of(["a"], [[[cell] for cell in cells]])
    assert [columns.converters["a"](cell) for cell in cells] == values
