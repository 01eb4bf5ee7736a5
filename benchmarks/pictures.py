"""What pictures find: each other and their names, by pixels and by the picture tower, beside chance; and the time.

    python benchmarks/pictures.py ../shared/data
    python benchmarks/pictures.py ../shared/data --only time

The first line names the commit.

Clothing: the `validation` photos, which nothing was chosen by. CIFAR-10: a slice that nothing was trained on; 1,000
photos ask among 10,000. Emoji: drawings, each asked for its name among all names. Time: of processor, for 3,409 photos
in a folder, as `imi add` takes them, from an empty collection to the last row on disk.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from recipes.pictures.data import CIFAR, CLOTHING, cifar, clothing, drawings, on_white

import imi
from imi.vectors import truncate

PLAIN = ("pixels", "pixels:bits", "pixels:planes")
SEEING = ("built-in", "deep")
SHORT = 64


def looked_at(photos):
    """Return the vectors of photos by each model, and by those of the picture tower cut short."""
    found = {name: imi.load(name).embed_images(list(photos.pixels)) for name in PLAIN}
    features = imi.load(SEEING[0]).tower.network.features(list(photos.pixels))
    for name in SEEING:
        z = imi.load(name).tower.of_features(features)
        found |= {name: z, f"{name} at {SHORT}": truncate(z, SHORT)}
    return found


def likeness(name, photos, queries, found):
    """Print precision@10 picture → picture: how many of a picture's ten nearest are of its class."""
    classes = np.array(photos.classes)
    shares = [(np.sum(classes == classes[at]) - 1) / (len(classes) - 1) for at in queries]
    print(f"\n{name}: picture → picture, precision@10 of {len(queries):,} among {len(classes):,}")
    print(f"{'chance':<16} {np.mean(shares):.3f}")
    for model, z in found.items():
        right = []
        for first in range(0, len(queries), 256):
            rows = queries[first : first + 256]
            scores = z[rows] @ z.T
            scores[np.arange(len(rows)), rows] = -np.inf
            near = np.argpartition(-scores, 10, axis=1)[:, :10]
            right.append((classes[near] == classes[rows][:, None]).mean(axis=1))
        print(f"{model:<16} {np.concatenate(right).mean():.3f}", flush=True)


def words(name, photos, names, found):
    """Print what class names find, and which of them pictures are nearest to."""
    classes, labels = np.array(photos.classes), list(names)
    counts = np.array([np.mean(classes == label) for label in labels])
    print(f"\n{name}: words and pictures, {len(classes):,} photos of {len(labels)} classes")
    print(f"{'':<25} {'picture → word, top 1':>22} {'word → picture, precision@10':>30}   worst class")
    print(f"{'chance':<25} {1 / len(labels):>22.3f} {counts.mean():>30.3f}")
    for model in SEEING:
        for dims in (None, SHORT):
            key = model if dims is None else f"{model} at {dims}"
            for at, language in enumerate(("English", "Japanese")):
                texts = imi.load(model).embed([names[label][at] for label in labels], kind="query", dims=dims)
                scores = found[key] @ texts.T
                top = np.mean(np.array(labels)[scores.argmax(axis=1)] == classes)
                best = np.argsort(-scores, axis=0)[:10]
                each = [float(np.mean(classes[best[:, column]] == label)) for column, label in enumerate(labels)]
                worst = f"{min(each):.1f} {labels[int(np.argmin(each))]}"
                print(f"{key:<15} {language:<9} {top:>22.3f} {np.mean(each):>30.3f}   {worst}", flush=True)
    print(f"{'commonest':<25} {counts.max():>22.3f}")


def emoji(data):
    """Print how often a drawing's own name is the nearest of all names, or among the five nearest."""
    model, drawn = imi.load(), drawings(data)
    names = list(dict.fromkeys((one.en, one.ja) for one in drawn))
    own = np.array([names.index((one.en, one.ja)) for one in drawn])
    z = model.embed_images([on_white(one) for one in drawn])
    held = np.array([one.held for one in drawn])
    sets = np.array([one.set for one in drawn])
    print(f"\nemoji drawings → their names among {len(names):,}: top 1 and top 5; chance {1 / len(names):.4f}")
    kinds = {
        "both drawings trained on": held == "",
        "Noto, only Twemoji's trained on": held == "drawing",
        "no drawing trained on": held == "both",
    }
    for language, texts in zip(("English", "Japanese"), zip(*names, strict=True), strict=True):
        order = np.argsort(-(z @ model.embed(list(texts), kind="query").T), axis=1)[:, :5]
        hits = order == own[:, None]
        for kind, rows in kinds.items():
            print(
                f"{kind:<34} {language:<9} {hits[rows, 0].mean():.3f} {hits[rows].any(axis=1).mean():.3f}", flush=True
            )
    chars = np.array([one.char for one in drawn])
    twins, others = np.flatnonzero(sets == "noto"), np.flatnonzero(sets == "twemoji")
    near = others[(z[twins] @ z[others].T).argmax(axis=1)]
    pixels = imi.load("pixels").embed_images([on_white(one) for one in drawn])
    by_pixels = others[(pixels[twins] @ pixels[others].T).argmax(axis=1)]
    for kind, rows in list(kinds.items())[1:]:
        mine = rows[twins]
        tower, plain = (np.mean(chars[twins][mine] == chars[found][mine]) for found in (near, by_pixels))
        print(f"Noto → Twemoji's drawing of the same emoji, {kind}: tower {tower:.3f}, pixels {plain:.3f}")


def timing(data):
    """Print how long it takes to add 3,409 photos, and what large photos cost."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(data / "images" / "clothing_small_96px.zip") as archive:
            archive.extractall(f"{folder}/photos")
        random = np.random.default_rng(0)
        large = Path(folder) / "large"
        large.mkdir()
        for at in range(40):
            noise = Image.fromarray(random.integers(0, 255, (30, 40, 3), dtype=np.uint8))
            noise.resize((4000, 3000), Image.Resampling.BICUBIC).save(large / f"{at}.jpg", quality=90)
        for what, of in (("photos", 3409), ("large", 40)):
            for model in ("built-in", "pixels"):
                name = f"{folder}/{what}-{model}.imi"
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                command = [sys.executable, "-m", "imi", "add", name, f"{folder}/{what}", "--model", model, "--json"]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                assert json.loads(done.stdout)["added"] == of
                size = "96 pixels wide" if what == "photos" else "4000 × 3000"
                print(
                    f"{model:<9} {of:>5} photos, {size}: {took:.1f} s of processor, {took / of * 1000:.1f} ms each",
                    flush=True,
                )


def main():
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--only", choices=("clothing", "cifar", "emoji", "time"))
    options = parser.parse_args()
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    print(f"commit {head.stdout.strip() or 'unknown'}")
    if options.only in (None, "clothing"):
        photos = clothing(options.data, "figures", size=96)
        found = looked_at(photos)
        likeness("clothing", photos, np.arange(len(photos.classes)), found)
        words("clothing", photos, CLOTHING, found)
    if options.only in (None, "cifar"):
        photos = cifar(options.data)
        found = looked_at(photos)
        likeness("CIFAR-10", photos, np.arange(0, len(photos.classes), 10), found)
        words("CIFAR-10", photos, CIFAR, found)
    if options.only in (None, "emoji"):
        emoji(options.data)
    if options.only in (None, "time"):
        print()
        timing(options.data)


if __name__ == "__main__":
    main()
