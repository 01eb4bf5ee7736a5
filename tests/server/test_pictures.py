import pytest

import imi
from tests.drawn import draw

API = "/api/v1/collections"


@pytest.fixture(scope="module")
def album(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "album.imi"
    with imi.open(folder, model="pixels") as made:
        made.add([imi.Document("photos/a b.png", picture=draw())])
        made.add([imi.Document("bare")], vectors=imi.load("pixels").embed_images([draw("box")]))
        kept = made.thumbnail("photos/a b.png")
    return start(collections=(str(folder),)), kept


def test_a_thumbnail_is_served_as_it_is_kept(album):
    server, kept = album
    reply = server.http.get(f"{API}/album/thumbnails/photos/a%20b.png")
    assert reply.status_code == 200 and reply.headers["content-type"] == "image/jpeg"
    assert reply.content == kept


def test_what_has_no_picture_says_so(album):
    server, _ = album
    bare = server.http.get(f"{API}/album/thumbnails/bare")
    assert (bare.status_code, bare.json()["error"]["code"]) == (404, "picture_not_found")
    absent = server.http.get(f"{API}/album/thumbnails/absent")
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "document_not_found")
