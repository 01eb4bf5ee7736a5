"""Signals as vectors of one's own: a collection without texts or model, its guard, and every task on it.

python examples/signals.py
"""

import tempfile
from pathlib import Path

import numpy as np

import imi
from imi import tasks
from imi.errors import ImiError
from imi.vectors import normalize

KINDS = ("hum", "sweep", "clicks")
RATE, SECONDS = 8000, 0.5


def sound(kind, rng):
    """Return half a second of sound, 4,000 numbers, of one kind, each a little different."""
    t = np.arange(int(RATE * SECONDS)) / RATE
    pitch = rng.uniform(0.9, 1.1)
    if kind == "hum":
        wave = np.sin(2 * np.pi * 220 * pitch * t) + 0.5 * np.sin(2 * np.pi * 440 * pitch * t)
    elif kind == "sweep":
        wave = np.sin(2 * np.pi * (300 + 1800 * pitch * t) * t)
    else:
        wave = (np.arange(len(t)) % int(400 * pitch) < 8).astype(float) * 3
    return wave + rng.normal(0, 0.1, len(t))


def fingerprint(wave):
    """Return 64 numbers: how loud 64 bands of the spectrum are, by their logarithm."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    bands = np.array_split(power[: len(power) // 2], 64)
    loud = np.log1p(np.array([band.mean() for band in bands]))
    return normalize(loud - loud.mean())


def made(count=40):
    """Return documents without text and their vectors (n, 64); the last one is noise that is like nothing else."""
    rng = np.random.default_rng(0)
    rows, vectors = [], []
    for at in range(count * len(KINDS)):
        kind = KINDS[at % len(KINDS)]
        wave = sound(kind, rng)
        loud = float(np.abs(wave).mean().round(3))
        rows.append(imi.Document(f"{kind}-{at}", metadata={"kind": kind, "loud": loud}))
        vectors.append(fingerprint(wave))
    rows.append(imi.Document("broken", metadata={"kind": "hum", "loud": 9.9}))
    vectors.append(normalize(rng.normal(size=64).astype(np.float32)))
    rows.append(imi.Document("copy", metadata=dict(rows[0].metadata)))
    vectors.append(vectors[0])
    return rows, np.array(vectors, np.float32)


def told(what, call):
    """Print what the guard says, and return whether it spoke."""
    try:
        call()
    except ImiError as error:
        print(f"{what}: {str(error).splitlines()[0]}")
        return True
    return False


def main():
    """Fill a collection with vectors of our own and let every task work on it; return what is checked."""
    rows, vectors = made()
    with tempfile.TemporaryDirectory() as folder, imi.open(Path(folder) / "sounds.imi") as sounds:
        sounds.add(rows, vectors)
        new = fingerprint(sound("sweep", np.random.default_rng(7)))
        nearest = sounds.search(new, k=3)
        print("nearest to a new sweep:", [hit.id for hit in nearest])
        print("like it, and loud:", [hit.id for hit in sounds.search(new, k=3, where={"loud": {">=": 0.6}})])
        print("similar to a hum:", [hit.id for hit in sounds.similar("hum-3", k=3)])

        words = told("words find no sound", lambda: sounds.search("sweep", mode="meaning"))
        width = told("another width", lambda: sounds.add([imi.Document("x")], vectors[:1, :32]))
        zeros = told("no direction", lambda: sounds.add([imi.Document("x")], np.zeros((1, 64))))

        kinds = tasks.classify(sounds, "kind")
        print(f"classify: accuracy {kinds.accuracy:.2f}")
        print(f"regress: mae {tasks.regress(sounds, 'loud').mae:.2f}")
        print("cluster:", len(set(tasks.cluster(sounds, k=3).labels.tolist())), "groups")
        odd = tasks.anomalies(sounds, share=0.01)
        print("odd:", [odd.ids[at] for at in odd.rows])
        copies = tasks.dedupe(sounds, threshold=0.999)
        print("copies:", [group.ids for group in copies])
        print(f"diversity: {tasks.diversity(sounds).vendi:.1f} kinds' worth of difference")
        liked = tasks.recommend(sounds, like=["clicks-2"], dislike=["hum-0"], k=3)
        print("recommended:", [hit.id for hit in liked])
        print("fewer numbers:", sounds.migrate(dims=16).overlap)
        return nearest[0].metadata["kind"] == "sweep" and words and width and zeros and kinds.accuracy > 0.9


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
