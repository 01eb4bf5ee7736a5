import json
import zipfile
from pathlib import Path

import pytest
from tests.drawn import album, draw, page


@pytest.fixture
def photos(here, run):
    """Return the working folder with an album of nine drawings in shapes.imi."""
    album(here / "photos")
    done = run("add", "shapes", "photos", "--model", "pixels", "--json")
    assert done.code == 0, done.err
    assert done.json["added"] == 9
    return here


def test_an_album_is_searched_by_a_picture(photos, run):
    asked = draw("box", "green", shift=3)
    asked.save(photos / "query.jpg")
    by_word = run("search", "shapes", "query.jpg", "-k", 2, "--json").json
    by_option = run("search", "shapes", "--image", "query.jpg", "-k", 2, "--json").json
    assert by_word == by_option
    assert by_word[0]["id"] == "photos/box/green.png" and by_word[0]["text"] is None
    narrowed = run("search", "shapes", "query.jpg", "--where", "folder=disc", "-k", 1, "--json").json
    assert narrowed[0]["metadata"]["folder"] == "disc"


def test_a_report_shows_the_pictures_that_its_tables_name(photos, run):
    done = run("cluster", "shapes", "-k", 3, "--report", "r.html")
    assert done.code == 0, done.err
    page = (photos / "r.html").read_text("utf-8")
    assert page.count('<img src="data:image/jpeg;base64,/9j/') >= 3 and "photos/box/" in page


def test_adding_again_reads_nothing(photos, run):
    assert run("add", "shapes", "photos", "--json").json["unchanged"] == 9
    (photos / "photos" / "box" / "red.png").unlink()
    assert run("add", "shapes", "photos", "--sync", "--json").json["removed"] == 1


def test_broken_pictures_are_left_out_and_stop_a_strict_run(photos, run):
    (photos / "photos" / "broken.png").write_bytes(b"\x89PNG")
    draw("cross", "green", size=(50, 50)).save(photos / "photos" / "new.png")
    refused = run("add", "shapes", "photos/broken.png", "photos/new.png", "--strict")
    assert refused.code == 1 and "1 row of 2 cannot be taken, so nothing was added" in refused.err
    done = run("add", "shapes", "photos", "--json").json
    assert (done["added"], done["unchanged"]) == (1, 9)
    assert done["failed"][0]["source"] == "photos/broken.png" and done["failed"][0]["line"] is None
    told = run("add", "shapes", "photos", "--skip-errors").err
    assert "left out photos/broken.png: " in told


def test_words_asked_of_pixels_say_what_to_do(photos, run):
    done = run("search", "shapes", "猫")
    assert done.code == 2 and "pixels reads pictures, no words" in done.err and "try: " in done.err
    done = run("search", "shapes", "--image", "photos/box/red.png", "red")
    assert done.code == 2 and "pixels reads pictures, no words" in done.err
    done = run("search", "shapes", "--image", "photos/box/red.png", "--compare")
    assert done.code == 2 and "--image is asked without --compare" in done.err


def test_a_picture_and_words_are_asked_together(photos, run):
    run("add", "seen", "photos", "--model", "built-in")
    alone, both = (
        run("search", "seen", "--image", "photos/box/red.png", *words, "--json").json for words in ((), ("x",))
    )
    assert alone[0]["id"] == "photos/box/red.png" and alone[0]["score"] > both[0]["score"] and len(both) == len(alone)


def test_what_a_picture_may_show_is_guessed_in_both_languages(photos, run):
    shown = run("explain", "photos/box/red.png", "--model", "built-in", "--json").json["guesses"]
    assert shown["en"] and len(shown["ja"]) >= 1
    assert (
        f"it may show, a guess: {', '.join(shown['en'])}"
        in run("explain", "photos/box/red.png", "--model", "built-in").err
    )


def test_a_picture_is_explained(here, run):
    draw("box", "blue", size=(64, 64)).save(here / "box.png")
    told = run("explain", "box.png", "--model", "pixels", "--json").json
    assert told["numbers"] == 64 * 64 * 3 and len(told["bits"]) == 64
    assert all(len(bytes.fromhex(row)) == 8 for row in told["bits"])
    assert [plane["name"] for plane in told["planes"]] == ["red", "green", "blue"]
    dot = told["one_dot"]
    assert dot["exact_match"] is False and dot["same"] == told["numbers"] - 3
    assert len(set(dot["digests"])) == 2 and min(dot["likeness"].values()) > 0.99
    shown = run("explain", "box.png", "--model", "pixels")
    assert "⣿" in shown.out and "not the same" in shown.out


def test_two_pictures_are_compared(here, run):
    draw("box", "blue").save(here / "a.png")
    draw("box", "blue").save(here / "b.bmp")
    draw("disc", "red").save(here / "c.gif")
    same = json.loads(run("explain", "a.png", "b.bmp", "--model", "pixels", "--json").out)["other"]
    other = json.loads(run("explain", "a.png", "c.gif", "--model", "pixels", "--json").out)["other"]
    assert same["exact_match"] is True and other["exact_match"] is False
    assert all(other["likeness"][name] < same["likeness"][name] + 1e-6 for name in same["likeness"])


def test_hits_that_are_pictures_show_guesses_to_people_and_nothing_to_programs(photos, run, monkeypatch):
    run("add", "seen", "photos", "--model", "built-in")
    shown = run("search", "seen", "photos/box/red.png", "-k", 1).out
    assert "photos/box/red.png" in shown and "(a guess: " in shown
    assert run("search", "seen", "photos/box/red.png", "-k", 1, "--json").json[0]["text"] is None
    monkeypatch.setenv("IMI_LANG", "ja")
    assert "(推測: " in run("search", "seen", "photos/box/red.png", "-k", 1).out
    assert "(推測: " not in run("search", "shapes", "photos/box/red.png", "-k", 1).out, "pixels knows no names"


def test_what_cameras_write_filters(here, run):
    from PIL import Image

    for name, taken, north in (("tokyo", "2023:05:01 12:30:00", 35.0), ("sapporo", "2024:02:01 08:00:00", 43.0)):
        exif = Image.Exif()
        exif[0x0110] = f"phone of {name}"
        exif.get_ifd(0x8769)[0x9003] = taken
        exif.get_ifd(0x8825).update({1: "N", 2: (north, 0.0, 0.0), 3: "E", 4: (140.0, 0.0, 0.0)})
        draw().save(here / f"{name}.jpg", exif=exif)
    (here / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe1broken")
    added = run("add", "trips", "tokyo.jpg", "sapporo.jpg", "broken.jpg", "--model", "pixels")
    assert added.code == 0 and "left out broken.jpg: " in added.err
    for where, wanted in (("taken>=2024-01", "sapporo"), ("latitude<40", "tokyo"), ("camera=phone of tokyo", "tokyo")):
        found = run("search", "trips", "--image", "tokyo.jpg", "--where", where, "--no-fold", "--json").json
        assert [hit["id"] for hit in found] == [f"{wanted}.jpg"], where


def test_an_album_unlike_all_that_the_model_has_seen_is_said_to_be_so(here, run, monkeypatch):
    monkeypatch.setattr("imi.text.readers.pictures.tesseract", lambda: None)  # what the pages say is another matter
    (here / "scans").mkdir()
    for seed in range(8):
        page(seed).save(here / "scans" / f"{seed}.png")
    done = run("add", "scans.imi", "scans", "--model", "built-in")
    assert done.code == 0 and "8 of 8 pictures looked at are unlike the photos" in done.err
    (here / "more.txt").write_text("a note about scans")
    assert "unlike" not in run("add", "scans.imi", "more.txt").err
    (finding,) = [one for one in run("doctor", "scans.imi", "--json").json["findings"] if "pictures" in one["check"]]
    assert (finding["level"], finding["value"]) == ("warning", 8) and "caption" in finding["remedy"]


def test_groups_of_pictures_are_named_by_what_they_show(here, run, shared_data):
    with zipfile.ZipFile(shared_data / "images" / "clothing_small_96px.zip") as archive:
        for kind in ("hat", "shoes"):
            (here / "photos" / kind).mkdir(parents=True)
            for name in [one for one in archive.namelist() if f"/{kind}/" in one and one.endswith(".jpg")][:8]:
                (here / "photos" / kind / Path(name).name).write_bytes(archive.read(name))
    assert run("add", "album", "photos", "--model", "built-in").code == 0
    rows = run("cluster", "album", "-k", 2).rows
    assert sorted(row[0].split(", ")[0] for row in rows) == ["hat", "shoes"]
