"""Part 1 of the seminar, slide by slide / セミナー第1部をスライド順に: what an embedding is / 埋め込みとは何か.

python examples/part1.py
"""

import tempfile
from pathlib import Path

import token_lookup

import imi
from imi.rag.answer import answer
from imi.tasks.explain import characters, explain


def slide(japanese, english):
    """Print a heading in both languages."""
    print(f"\n■ {japanese}\n  {english}")


def main():
    """Run the slides in order."""
    slide(
        "Embedding Layer の重み行列: Token ID で行を引く", "The embedding layer's weight matrix: rows looked up by id"
    )
    token_lookup.main()

    slide("文字列の表現と意味の表現は違う: cat は 63 61 74、猫 は U+732B", "The string and its meaning are two things")
    for word in ("cat", "猫"):
        for one in characters(word):
            print(f"  {one.text}  {one.code}  {one.utf8}")
        reading = explain(imi.load(), word).readings[0]
        print(f"  {word}: {len(reading.vector)} numbers, {' '.join(f'{x:.3f}' for x in reading.vector[:5])} …")

    slide("embedding は人間と機械の共通言語", "Embeddings are a language that people and machines share")
    print(f"  cat / 猫: {imi.similarity('cat', '猫'):.3f}; cat / 飛行機: {imi.similarity('cat', '飛行機'):.3f}")

    slide("embedding の共有・蓄積・検索", "Sharing, storing and searching embeddings")
    with tempfile.TemporaryDirectory() as folder, imi.open(Path(folder) / "notes.imi") as notes:
        notes.add(
            [imi.Document("1", "会議は金曜日の午後三時に変わりました。"), imi.Document("2", "The cat sleeps all day.")]
        )
        notes.export(Path(folder) / "notes.jsonl")
        with imi.open(Path(folder) / "again.imi") as again:
            again.import_(Path(folder) / "notes.jsonl")
            print("  " + again.search("When is the meeting?", k=1)[0].text)

        slide("RAG: 分割・埋め込み・検索・回答", "RAG: chunk, embed, retrieve, answer")
        found = answer(notes, "会議はいつですか？")
        print(f"  {found.answer}  [{', '.join(one.id for one in found.citations)}]")


if __name__ == "__main__":
    main()
