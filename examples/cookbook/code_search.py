"""Code_search: functions found by what they do, in words, without running anything.

python examples/cookbook/code_search.py
"""

from pathlib import Path

import imi

QUESTIONS = ("shorten vectors and make them unit length again", "cut a text into sentences", "文字列を正規化する")


def main():
    """Ask the source code of imi itself."""
    source = Path(imi.__file__).parent / "text"
    vectors = Path(imi.__file__).parent / "vectors.py"
    model = imi.load()
    for question in QUESTIONS:
        print(question)
        hits = [*imi.tasks.code(str(source), question, model, 2), *imi.tasks.code(str(vectors), question, model, 1)]
        for hit in sorted(hits, key=lambda hit: -hit.score)[:2]:
            print(f"  {hit.score:.3f}  {Path(hit.function.path).name}:{hit.function.line}  {hit.function.name}")


if __name__ == "__main__":
    main()
