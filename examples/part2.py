"""Part 2 of the seminar, slide by slide / セミナー第2部をスライド順に: programming with embeddings.

python examples/part2.py

The slides that ask OpenAI's client are examples/openai_client.py (against `imi serve`), translation is `imi translate`.
"""

import runpy
import sys
from pathlib import Path

import search_four_sentences
import web_search

import imi

HERE = Path(__file__).resolve().parent
COOKBOOK = (
    ("データセットから埋め込みを得る", "get_embeddings_from_dataset"),
    ("意味による検索: search_reviews", "semantic_text_search"),
    ("分類", "classification"),
    ("ゼロショット分類", "zero_shot"),
    ("回帰", "regression"),
    ("クラスタリング", "clustering"),
    ("推薦", "recommendation"),
    ("ユーザーと商品", "user_and_product"),
    ("コード検索", "code_search"),
    ("質問応答", "question_answering"),
    ("2次元で見る", "visualizing_2d"),
)


def slide(japanese, english):
    """Print a heading in both languages."""
    print(f"\n■ {japanese}\n  {english}")


def main(*only):
    """Run the slides in order; names of cookbook examples leave the others out."""
    slide("コサイン類似度: 猫とcat、🐱とcat、吾輩は猫である。", "Cosine similarity, beside ada-002's on the slides")
    for a, b, published in (
        ("cat", "猫", "ada-002 0.845886"),
        ("🐱", "cat", "ada-002 0.851908"),
        ("I am a cat.", "吾輩は猫である。", "ada-002 0.881660, 3-small 0.531995"),
    ):
        print(f"  {a} / {b}: {imi.similarity(a, b):.6f}   ({published})")

    slide("文字列検索と意味検索", "Searching by string against searching by meaning")
    search_four_sentences.main()

    slide("転置インデックス、MapReduce、PageRank", "The web's string search")
    web_search.main()

    sys.path.insert(0, str(HERE / "cookbook"))
    for japanese, name in COOKBOOK:
        if not only or name in only:
            slide(japanese, name.replace("_", " "))
            runpy.run_path(str(HERE / "cookbook" / f"{name}.py"))["main"]()


if __name__ == "__main__":
    main(*sys.argv[1:])
