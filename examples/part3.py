"""Part 3 of the seminar, slide by slide / セミナー第3部をスライド順に: vector search / ベクトル検索の展開.

python examples/part3.py
"""

import tempfile
import timeit
from pathlib import Path

import codewords
import hnsw
import iot_log_ads
import numpy as np
import pictures

import imi
from imi.vectors import dot, l2, normalize

SENTENCES = [
    "猫が寝ています",
    "The cat is asleep",
    "電車が遅れています",
    "The train is late",
    "豆のスープ",
    "Bean soup",
]


def slide(japanese, english):
    """Print a heading in both languages."""
    print(f"\n■ {japanese}\n  {english}")


def brute_force(count=20_000):
    """Time a query against all rows, and by the first 64 dimensions with the best 200 compared in full."""
    energy = np.arange(1, 1025, dtype=np.float32) ** -0.7  # falls off as in the vectors of a Matryoshka model
    rows = normalize(np.random.default_rng(0).standard_normal((count + 1, 1024), np.float32) * energy)
    rows, query = rows[1:], rows[0]
    first = np.ascontiguousarray(rows[:, :64])

    def ladder():
        few = np.argpartition(first @ query[:64], -200)[-200:]
        return few[np.argsort(rows[few] @ query)[-3:]]

    ways = {"every row": lambda: np.argsort(rows @ query)[-3:], "64 dimensions, then 200 rows": ladder}
    seconds = {name: min(timeit.repeat(way, number=1, repeat=9)) for name, way in ways.items()}
    for name, one in seconds.items():
        print(f"  {count:,} rows, {name}: {1000 * one:.2f} ms; a million rows: about {one * 1_000_000 / count:.2f} s")
    print(f"  the same three found: {set(ladder().tolist()) == set(ways['every row']().tolist())}")
    whole, short = 1024 * 1_000_000, 64 * 1_000_000 + 200 * 1024
    print(f"  a million rows take {whole:,} products a query; by 64 dimensions, then 200 in full, {short:,}")
    print("  a graph reads a few hundred rows of a million: docs/benchmarks/search-1000000x1024.md")


def main():
    """Run the slides in order."""
    slide(
        "画像もベクトル: 64×64 の白黒は 8 バイト × 64 行",
        "A picture is a vector too; one dot and the exact match fails",
    )
    pictures.a_picture_is_a_vector()
    pictures.exact_match_and_likeness()
    with tempfile.TemporaryDirectory() as folder:
        pictures.tags_and_likeness(Path(folder))

    slide("総当たり: 1024 次元 × 100 万件 = 10.2 億回の積", "Brute force: 1024 × 1 million is 1.02 billion products")
    brute_force()

    slide("L2、コサイン、内積", "L2, cosine and inner product are their textbook selves")
    a = np.array([3.0, 4.0], np.float32)
    for b in np.array([[6.0, 8.0], [4.0, 3.0], [-4.0, 3.0]], np.float32):
        print(
            f"  {a} and {b}: L2 {float(l2(a, b)):5.2f}, dot {float(dot(a, b)):5.1f}, "
            f"cosine {float(dot(normalize(a), normalize(b))):.2f}"
        )
    print("  [6, 8] is twice [3, 4]: for the cosine the same, for L2 farther than [4, 3]")

    slide(
        "ベクトル量子化: 空間を分割し、コードワードだけを先に比べる",
        "Vector quantization: only codewords are compared first",
    )
    codewords.main()

    slide("HNSW: 上の層から下へ", "HNSW: from the top layer down")
    hnsw.main()

    slide("あらゆるもののベクトル: IoT の故障、ログの攻撃、広告", "Vectors of anything: faulty sensors, attacks, ads")
    iot_log_ads.main()

    slide("マトリョーシカ: 先頭だけでも意味が残る", "Matryoshka: any prefix is a vector")
    z = imi.load().embed(SENTENCES)
    for dims in (512, 128, 32):
        short = imi.truncate(z, dims)
        pairs = [float(short[at] @ short[at + 1]) for at in (0, 2, 4)]
        across = short[::2] @ short[1::2].T
        others = float(across[~np.eye(3, dtype=bool)].mean())
        first = int((across.argmax(axis=1) == np.arange(3)).sum())
        print(
            f"  {dims:>3} dimensions: translations {np.mean(pairs):.3f}, others {others:.3f}, "
            f"translation first {first} of 3, {4 * dims:>4} bytes a vector"
        )
    print("  コサインの値は次元数によって変わります。比べるのは値ではなく順位です。")
    print("  Cosines change with the number of dimensions: compare ranks, never cosines of two sizes.")


if __name__ == "__main__":
    main()
