"""Words in any of their forms."""

import random

from imi.text.lexical import ranking_terms
from imi.text.word_forms import TermsSought, dictionary_form, dictionary_forms

PIECES = ["東京都", "東京", "都の", "京", "カナ", "ﾊﾟﾝ", "ate", "eaten", "boxes", "box", "c++", "SQLiteを使う", "12"]
PIECES += [".。、", "#é", "ไทย", "한국어", "々", "ＡＢ", "①", "don't", "🇯🇵"]


def test_terms_are_found_where_full_text_has_them():
    rng = random.Random(3)
    for _ in range(600):
        asked, text = (rng.choice(["", " "]).join(rng.choices(PIECES, k=rng.randint(1, 9))) for _ in range(2))
        terms = ranking_terms(asked)
        tokens = dictionary_forms(text)
        assert TermsSought(terms).held(text) == [dictionary_form(term) in tokens for term in terms], (asked, text)


def test_a_verb_is_found_in_its_other_forms():
    assert TermsSought(["eaten", "boxes", "京都"]).held("We ate from the box. 東京、都") == [True, True, False]
