"""Texts as people read them: templates and the markup of web pages taken away, and nothing else."""

import pytest

from imi.text.labels import labelled_parts, without_markup


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Title: Good tea; Content: Green; very good.", [("Title", "Good tea"), ("Content", "Green; very good.")]),
        ("題名: お茶; 内容: おいしい", [("題名", "お茶"), ("内容", "おいしい")]),
        ("id: m-1; tag: movie", [("id", "m-1"), ("tag", "movie")]),
        ("Title: alone", []),
        ("He said: nothing; she said: all", [("He said", "nothing"), ("she said", "all")]),
        ("a plain text; with: a colon", []),
    ],
)
def test_the_names_of_a_template(text, parts):
    assert labelled_parts(text) == parts


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("one<br />two<BR>three", "one\ntwo\nthree"),
        ("one<br /><br /><br /><br />two", "one\n\ntwo"),
        ("<b>bold</b> &amp; <a href='x'>linked</a>", "bold & linked"),
        ("a &lt;script&gt; and <script>run()</script>", "a <script> and <script>run()</script>"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("<template> and <unknown> stay", "<template> and <unknown> stay"),
    ],
)
def test_breaks_and_emphasis_look_as_they_were_meant(text, read):
    assert without_markup(text) == read
