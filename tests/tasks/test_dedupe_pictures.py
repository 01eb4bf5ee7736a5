"""Copies of pictures: made smaller, compressed, cropped a little; what merely shows the same is none."""

import io

import numpy as np
import pytest

import imi
from imi.tasks.dedupe import dedupe

PIL = pytest.importorskip("PIL.Image")


def copies(pixels):
    image = PIL.fromarray(pixels)
    width, height = image.size
    squeezed = io.BytesIO()
    image.save(squeezed, "JPEG", quality=35)
    return {
        "smaller": image.resize((width * 6 // 10, height * 6 // 10)),
        "compressed": squeezed.getvalue(),
        "cropped": image.crop((width // 40, height // 40, width - width // 40, height - height // 40)),
        "brighter": image.point(lambda value: min(255, value * 9 // 8)),
    }


def test_copies_of_a_picture_are_found_and_pictures_of_the_same_kind_are_not(shared_data, tmp_path):
    from recipes.pictures.data import clothing

    photos = clothing(shared_data, "figures", size=96)
    shirts = [at for at, kind in enumerate(photos.classes) if kind == "t-shirt"][:12]
    with imi.open(tmp_path / "album.imi") as album:
        album.add([imi.Document(f"shirt {at}", picture=photos.pixels[at]) for at in shirts])
        first = shirts[0]
        album.add([imi.Document(name, picture=one) for name, one in copies(photos.pixels[first]).items()])
        album.add([imi.Document("note", "a T-shirt"), imi.Document("again", "a t-shirt.")])
        groups = {group.ids[0]: set(group.ids[1:]) for group in dedupe(album, keep="first")}
        z = album.vectors([f"shirt {at}" for at in shirts])
    assert groups == {f"shirt {first}": {"smaller", "compressed", "cropped", "brighter"}, "note": {"again"}}
    assert (z @ z.T)[np.triu_indices(len(z), 1)].max() > 0.95, "by what they show these are nearer than copies need be"
