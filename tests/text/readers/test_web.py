"""HTML and mail: tables as tables, pieces of pages as texts."""

import pytest

pytest.importorskip("trafilatura", reason="the extra `docs` is not installed")

from imi.errors import Failure, UsageError
from imi.text.readers import ReadOptions, Report, read

PRICES = """<h1>Prices</h1><table>
<thead><tr><th></th><th colspan=2>fruit</th></tr><tr><th></th><th>name</th><th>price</th></tr></thead>
<tbody><tr><th>0</th><td>apple<br>red<b hidden>x</b></td>
<td>1,200</td></tr><tr><th>1</th><td rowspan=2>pear</td><td>90</td></tr>
<tr><th>2</th><td>80</td></tr></tbody></table>"""


def taken(path, raw, **options):
    report = Report()
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    items = list(read(str(path), ReadOptions(report=report, **options)))
    return [one.document for one in items if not isinstance(one, Failure)], report


def test_tables_of_pages_are_tables(tmp_path):
    rows, report = taken(tmp_path / "a.html", PRICES)
    values = [(row.metadata["fruit name"], row.metadata["fruit price"]) for row in rows if "fruit name" in row.metadata]
    assert values == [("apple\nred", 1200), ("pear", 90), ("pear", 80)]
    assert rows[-1].text == "Prices" and len({row.id for row in rows}) == 4
    assert any("counts the rows" in notice.text for notice in report.notices)
    rows, _ = taken(tmp_path / "a.html", PRICES, id="fruit price", template="{fruit name}")
    assert [(row.id, row.text) for row in rows] == [("1,200", "apple\nred"), ("90", "pear"), ("80", "pear")]
    with pytest.raises(UsageError, match="no column 'sku'"):
        taken(tmp_path / "a.html", PRICES, id="sku")
    with pytest.raises(UsageError, match="a page without a table"):
        taken(tmp_path / "b.html", "<p>nothing here</p>", id="sku")


def test_names_down_the_side_are_a_header_too(tmp_path):
    rows, _ = taken(tmp_path / "a.html", "<table><tr><th>Name<td>Tom<td>Ann</tr><tr><th>Age<td>12<td>9</tr></table>")
    assert [(row.metadata["Name"], row.metadata["Age"]) for row in rows] == [("Tom", 12), ("Ann", 9)]


def test_a_small_table_in_an_article_stays_in_its_text(tmp_path):
    article = "<p>" + "The shop opens at ten and sells beans of many kinds. " * 12 + "</p>"
    rows, _ = taken(tmp_path / "a.html", f"<article>{article}<table><tr><th>a</th><th>b</th></tr>"
                    "<tr><td>1</td><td>2</td></tr></table></article>")  # fmt: skip
    assert not any("a" in row.metadata for row in rows)


def test_spans_have_an_end(tmp_path):
    wide = "<table><tr><th colspan=99999999>a</th><th rowspan=999999>b</th></tr>" + "<tr><td>x</td></tr>" * 3
    assert len(taken(tmp_path / "a.html", wide)[0]) <= 4


def test_a_page_that_is_called_a_spreadsheet(tmp_path):
    rows, report = taken(
        tmp_path / "a.xls", "<table><tr><th>id</th><th>name</th></tr><tr><td>7</td><td>x</td></tr></table>"
    )
    assert rows[0].metadata["name"] == "x"
    assert any("those of a page of HTML" in notice.text for notice in report.notices)


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        ("<p>猫の店は十時からです。</p>", "猫の店は十時からです。"),
        ("no tags at all", "no tags at all"),
        ("<h1>Only a heading</h1>", "Only a heading"),
        ("<td>cell</td>", "cell"),
        ("<a href=x>link</a>", "link"),
        ("<ul><li>apple</li></ul>", "- apple"),
        ("<p>caf&eacute; &amp; &lt;3 &#x732B;&nbsp;&hellip;</p>", "café & <3 猫 …"),
        ("<p>a</p><p style='display: none'>b</p><p hidden>c</p><template>d</template><!-- e -->"
         "<!--[if mso]><p>f</p><![endif]--><script>g</script><noscript>h</noscript>", "a"),
        ("<html><body><nav>Menu</nav><header>Site</header><main><h1>Cats</h1><p>They sleep.</p></main>"
         "<aside>Buy</aside><footer>©</footer></body></html>", "Cats\nThey sleep."),
        ("<html><head><title>T</title></head><body><div class='menu x'>Menu</div><p>They sleep.</p></body></html>",
         "T\nThey sleep."),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("<p>会議は九時からです。漢字かな</p>".encode("euc-jp"), "会議は九時からです。漢字かな"),
        ("<meta charset=shift_jis><p>①猫</p>".encode("cp932"), "①猫"),
        ("<?xml version='1.0' encoding='utf-8'?><p>猫</p>", "猫"),
    ],
)  # fmt: skip
def test_pieces_of_pages_are_texts(tmp_path, piece, text):
    (row,), _ = taken(tmp_path / "a.html", piece)
    assert row.text == text


MAIL = b"""From: =?ISO-2022-JP?B?GyRCMyo/PxsoQg==?= <a@example.com>
To: b@example.com
Subject: =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=
Date: Sun, 1 Sep 2024 10:00:00 +0900
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=X

--X
Content-Type: multipart/alternative; boundary=Y

--Y
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

The caf=C3=A9 opens at te=
n.
--Y
Content-Type: text/html; charset=utf-8

<p>The caf&eacute; opens at ten.</p>
--Y--
--X
Content-Type: application/pdf; name=plan.pdf
Content-Disposition: attachment; filename=plan.pdf

x
--X--
"""


def test_mail(tmp_path):
    (row,), report = taken(tmp_path / "a.eml", MAIL)
    assert row.text == "会議\nThe café opens at ten." and row.metadata["date"] == "2024-09-01T10:00:00+09:00"
    assert row.metadata["to"] == "b@example.com" and row.metadata["subject"] == "会議"
    assert [notice.text for notice in report.notices] == ["what is attached is not read: plan.pdf"]
    page = MAIL.replace(b"text/plain", b"text/x-other")
    assert "The café opens at ten." in taken(tmp_path / "b.eml", page)[0][0].text
    japanese = "Subject: x\nContent-Type: text/plain; charset=wrong\n\n会議は十時からです。".encode("cp932")
    assert "会議は十時からです。" in taken(tmp_path / "c.eml", japanese)[0][0].text
    with pytest.raises(UsageError, match="speaks of columns"):
        taken(tmp_path / "a.eml", MAIL, id="x")
