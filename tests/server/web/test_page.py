"""The page in a real browser: every mode, the slider, filters, the map, files, languages, keys and what goes wrong."""

import json
import re
import socket
import threading
import time

import numpy as np
import pytest
from playwright.sync_api import expect

import imi
from imi import tasks
from imi.server.app import build_app, build_state
from imi.server.http.keys import Keys
from imi.server.running import Server, configure
from imi.server.settings import Settings

MODES = ("text", "meaning", "hybrid")


def asked(page, query):
    page.fill("#ask", query)
    expect(page.locator("#modes")).to_have_attribute("data-asked", query)


def column(page, mode):
    return page.locator(f'.mode[data-mode="{mode}"]')


def ids(page, mode):
    return column(page, mode).locator(".hit").evaluate_all("hits => hits.map((hit) => hit.dataset.id)")


def found(server, query, **how):
    reply = server.http.post("/api/v1/collections/pets/search", json={"query": query, "k": 10} | how)
    return [hit["id"] for hit in reply.json()["hits"]]


def test_three_ways_side_by_side_and_why(visit, pets):
    page = visit(f"{pets.url}/#pets")
    expect(page.locator("#first .hit")).to_have_count(6)
    asked(page, "cat")
    for mode in MODES:
        assert ids(page, mode) == found(pets, "cat", mode=mode)
    assert ids(page, "text") == ["mat"] and "tama" in ids(page, "meaning")[:3]
    expect(column(page, "text").locator("mark")).to_have_text("cat")
    assert column(page, "meaning").locator('[data-id="mat"] .also .text').get_attribute("aria-label")

    column(page, "meaning").locator('[data-id="tama"] button').click()
    dialog = page.locator("#reading")
    expect(dialog.locator(".pairs li").first).to_contain_text("cat ↔ 猫")
    expect(dialog).to_contain_text("none of these words")
    expect(dialog.locator(".near .hit")).to_have_count(5)
    cosine = imi.load().embed(["cat", "うちの猫はタマと言います"])
    expect(dialog.locator(".cosine")).to_have_text(f"Cosine {cosine[0] @ cosine[1]:.3f}")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_fewer_numbers_and_what_stays(visit, pets):
    page = visit(f"{pets.url}/#pets")
    asked(page, "the cat sleeps")
    page.focus("#dims")
    page.keyboard.press("Home")
    expect(page.locator("#size output")).to_have_text("32 of 512 dimensions · 16× smaller")
    short, full = (found(pets, "the cat sleeps", mode="meaning", dims=dims) for dims in (32, None))
    stay = [id in short for id in full]
    expect(page.locator(".kept i")).to_have_count(10)
    shown = page.locator(".kept i").evaluate_all("all => all.map((one) => one.className === 'stays')")
    assert shown == stay
    expect(page.locator(".kept-told")).to_have_text(f"{sum(stay)} of 10 hits stay")
    assert ids(page, "meaning") == short
    page.keyboard.press("End")
    expect(page.locator(".kept")).to_be_hidden()
    expect(column(page, "meaning").locator(".hit").first).to_have_attribute("data-id", full[0])


def test_filters_narrow_all_three(visit, pets):
    page = visit(f"{pets.url}/#pets")
    asked(page, "cat")
    page.click("#filter-button")
    page.get_by_label("travel").check()
    expect(page.locator("#chips")).to_have_text("tag travel ×")
    expect(column(page, "text").locator(".said")).to_have_text(
        "None of the 3 documents that match the filters contains these words."
    )
    expect(page.locator("#passing")).to_have_text("3 of 12 match")
    assert ids(page, "meaning") == found(pets, "cat", mode="meaning", where={"tag": "travel"})
    page.get_by_label("n from").fill("9")
    expect(column(page, "meaning").locator(".hit")).to_have_count(2)
    where = {"and": [{"tag": "travel"}, {"n": {">=": 9}}]}
    assert ids(page, "meaning") == found(pets, "cat", mode="meaning", where=where)
    page.locator("#chips button").first.click()
    page.locator("#chips button").first.click()
    expect(column(page, "meaning").locator(".hit")).to_have_count(10)


def test_the_map_is_wandered_in(visit, pets):
    page = visit(f"{pets.url}/#pets/map")
    canvas = page.locator("#map canvas")
    expect(page.locator(".imi-title")).to_contain_text("12 documents")
    expect(page.locator("#map-said")).to_be_empty()
    page.get_by_label("Colour by").select_option("tag")
    expect(page.locator(".imi-legend li")).to_have_text(["pets · 5", "travel · 3", "food · 2", "work · 2"])
    before = canvas.screenshot()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 500, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 560, box["y"] + 340, steps=4)
    page.mouse.up()
    for _ in range(30):  # it is drawn with the browser's next frame
        if canvas.screenshot() != before:
            break
        page.wait_for_timeout(100)
    assert canvas.screenshot() != before
    page.get_by_label("Show all").click()

    page.get_by_label("Find a word on the map").fill("猫")
    page.locator(".imi-panel > .imi-found button").click()
    expect(page.locator(".imi-chosen h3").first).to_have_text("tama")
    near = page.locator(".imi-chosen .imi-found li")
    expect(near).to_have_count(8)
    similar = pets.http.post("/api/v1/collections/pets/similar", json={"id": "tama", "k": 1}).json()["hits"][0]
    expect(near.first).to_have_text(f"{similar['text']}{similar['score']:.2f}")
    # The chosen point stands in the middle of what the panel leaves free: there the pointer finds it.
    page.wait_for_timeout(400)
    page.mouse.move(box["x"] + (box["width"] + 332) / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".imi-card")).to_contain_text("うちの猫はタマと言います")
    page.get_by_role("button", name="Read it").click()
    expect(page.locator("#reading-title")).to_have_text("tama")


def test_a_dropped_file_becomes_a_collection(visit, pets, tmp_path):
    rows = [
        "id,Title,Text,Score",
        '1,Tea,"Green tea, ""sencha"", from Shizuoka",5',
        "2,茶,抹茶のアイスクリーム,4",
        "3,Rain,All day,1",
    ]
    (tmp_path / "drinks.csv").write_text("\n".join(rows), "utf-8")
    (tmp_path / "notes.txt").write_bytes("最初の段落。\n\n二つ目の段落に猫がいる。".encode("shift_jis"))
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.4")
    page = visit(f"{pets.url}/#pets", forgive=("409 (Conflict)",))
    page.set_input_files("#file", tmp_path / "drinks.csv")
    expect(page.locator("#progress")).to_have_text("drinks is ready: 3 documents.")
    expect(page.locator("#collection")).to_have_value("drinks")
    kept = pets.http.get("/api/v1/collections/drinks/documents/1").json()
    assert kept["text"] == 'Green tea, "sencha", from Shizuoka'
    assert kept["metadata"] == {"source": "drinks.csv", "id": 1, "Title": "Tea", "Score": 5}
    asked(page, "matcha dessert")
    assert ids(page, "meaning")[0] == "2"
    page.set_input_files("#file", [tmp_path / "notes.txt", tmp_path / "drinks.csv"])
    expect(page.locator("#progress")).to_have_text("drinks-2 is ready: 3 documents.")
    texts = [one["text"] for one in pets.http.get("/api/v1/collections/notes/documents").json()["documents"]]
    assert texts == ["最初の段落。", "二つ目の段落に猫がいる。"]
    page.set_input_files("#file", tmp_path / "paper.pdf")
    expect(page.locator("#trouble")).to_contain_text("imi add on the command line reads many more")


def test_japanese_and_english(visit, pets):
    page = visit(f"{pets.url}/#pets", locale="ja-JP")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("#to-map")).to_have_text("地図")
    asked(page, "cat")
    expect(column(page, "meaning").locator("h2")).to_have_text("意味")
    page.click("#language")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(column(page, "meaning").locator("h2")).to_have_text("Meaning")
    expect(column(page, "meaning").locator(".hit").first).to_be_visible()
    assert ids(page, "meaning") == found(pets, "cat", mode="meaning")
    page.reload()
    expect(page.locator("#to-map")).to_have_text("Map")


def test_by_keyboard_alone(visit, pets):
    page = visit(f"{pets.url}/#pets", reduced_motion="reduce")
    expect(page.locator("#first .hit").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("beans")
    expect(column(page, "text").locator(".hit")).to_have_count(1)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.hit button')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#reading-title")).to_have_text("beans")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('.hit button')")
    page.focus("#to-map")
    page.keyboard.press("Enter")
    expect(page.locator("#map-said")).to_contain_text("Large points")
    page.focus("#map canvas")
    for key in ("ArrowLeft", "+", "0", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".imi-chosen h3").first).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(page.locator(".imi-chosen")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(visit, pets, serious, scheme):
    phone = scheme == "dark"
    page = visit(
        f"{pets.url}/#pets",
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="ja-JP" if phone else "en-US",
        viewport={"width": 390 if phone else 1280, "height": 844},
    )
    asked(page, "cat")
    page.click("#filter-button")
    page.evaluate(
        "document.getElementById('dims').value = 1; document.getElementById('dims').dispatchEvent(new Event('input'))"
    )
    expect(page.locator(".kept i").first).to_be_visible()
    assert serious(page) == []
    column(page, "meaning").locator(".hit button").first.click()
    expect(page.locator("#reading .near .hit").first).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.click("#to-map")
    page.locator("#map canvas").press("Enter")
    expect(page.locator(".imi-chosen .imi-found li").first).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= (390 if phone else 1280)


@pytest.fixture(scope="module")
def odd(start, model, tmp_path_factory):
    """Return a server of documents that are hard to show."""
    folder = tmp_path_factory.mktemp("odd")
    texts = {
        "<b>script</b>": "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'> cat & dog",
        "rtl": "القطة نائمة على الأريكة، والكلب يلعب في الحديقة. שלום חתול",
        "line": "x" * 5000 + "猫" + "y" * 4999,
        "huge": "The cat sat on the mat. " * 50_000 + "END",
    }
    with imi.open(folder / "odd.imi", model=model) as made:
        made.add([imi.Document(id, text, {"<i>tag": "<img src=x>"}) for id, text in texts.items()])
    return start({"built-in": model}, collections=(str(folder / "odd.imi"),))


def test_what_is_hard_to_show_is_shown_whole_and_still(visit, odd):
    page = visit(f"{odd.url}/#odd", viewport={"width": 390, "height": 844})
    asked(page, "猫")
    expect(column(page, "meaning").locator(".hit")).to_have_count(4)
    page.get_by_role("group", name="Ways of searching").get_by_text("Text").click()
    expect(column(page, "text").locator("mark")).to_have_text("猫")
    expect(column(page, "text").locator(".hit-facts")).to_contain_text("10,000 characters")
    asked(page, "cat")
    page.click('.tab[data-mode="meaning"]')
    script = column(page, "meaning").locator('[data-id="<b>script</b>"]')
    expect(script.locator(".hit-text")).to_have_text(re.compile(re.escape("<script>window.hacked=1</script>")))
    right = column(page, "meaning").locator('[data-id="rtl"] .hit-text')
    assert right.evaluate("one => getComputedStyle(one).direction") == "rtl"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    column(page, "meaning").locator('[data-id="huge"] button').click()
    expect(page.locator("#reading .pages")).to_contain_text("Characters 1 to 20,000 of 1,200,003")
    expect(page.locator("#reading")).to_contain_text("Weights for the first 4,000 of 1,200,003 characters.")
    page.get_by_role("button", name="Further").click()
    expect(page.locator("#reading .pages")).to_contain_text("Characters 20,001 to 40,000")
    page.keyboard.press("Escape")
    page.click("#to-map")
    expect(page.locator(".imi-title")).to_contain_text("4 documents")
    assert page.evaluate("window.hacked") is None


def test_vectors_of_ones_own_have_no_meaning_in_words(visit, start, tmp_path):
    z = np.random.default_rng(0).normal(size=(6, 96))
    with imi.open(tmp_path / "own.imi") as made:
        made.add([imi.Document(str(row), f"cat {row}") for row in range(6)], vectors=z)
    page = visit(start(collections=(str(tmp_path / "own.imi"),)).url)
    asked(page, "cat")
    expect(column(page, "meaning").locator(".said")).to_contain_text("The vectors here are your own")
    assert len(ids(page, "text")) == len(ids(page, "hybrid")) == 6
    expect(page.locator("#size")).to_be_hidden()
    column(page, "text").locator(".hit button").first.click()
    expect(page.locator("#reading")).to_contain_text("there are no tokens to show")


def test_pictures_are_shown(visit, start, tmp_path):
    drawn = pytest.importorskip("tests.drawn", reason="the extra `pictures` is not installed")
    with imi.open(tmp_path / "album.imi", model="pixels") as made:
        made.add([imi.Document("discs/a b.png", picture=drawn.draw()), imi.Document("box", picture=drawn.draw("box"))])
    page = visit(start(collections=(str(tmp_path / "album.imi"),)).url)
    image = page.get_by_role("img", name="discs/a b.png")
    expect(image).to_be_visible()
    # The list may be drawn again meanwhile, which ends the loading of a picture that goes with it.
    expect(image).to_have_js_property("naturalWidth", 96)
    page.get_by_role("button", name="Read discs/a b.png").click()
    expect(page.locator("#reading .near .hit")).to_have_attribute("data-id", "box")


def test_nothing_to_search_is_said(visit, start, pets, model, serious):
    page = visit(f"{pets.url}/#empty")
    expect(page.locator("#welcome h2")).to_have_text("empty is empty")
    expect(page.locator("#welcome pre")).to_contain_text("imi add empty.imi")
    page = visit(start({"built-in": model}).url)
    expect(page.locator("#welcome")).to_contain_text("was started without a folder for new ones")
    expect(page.locator("#drop-button")).to_be_hidden()
    assert serious(page) == []


def test_a_key_is_asked_for_and_stays_in_memory(visit, start, model, tmp_path):
    with imi.open(tmp_path / "pets.imi", model=model) as made:
        made.add([imi.Document("1", "猫")])
    keys = tmp_path / "keys.json"
    secret = Keys(keys).add("reader", {"*": "read"})
    server = start({"built-in": model}, collections=(str(tmp_path / "pets.imi"),), root=tmp_path / "made", keys=keys)
    page = visit(server.url, forgive=("401 (Unauthorized)", "403 (Forbidden)"))
    page.fill("#secret", "imi-wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key .wrong")).to_be_visible()
    page.fill("#secret", secret)
    page.keyboard.press("Enter")
    expect(page.locator("#first .hit")).to_have_count(1)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, document.cookie])")
    assert secret not in kept
    (tmp_path / "new.txt").write_text("a text", "utf-8")
    page.set_input_files("#file", tmp_path / "new.txt")
    expect(page.locator("#trouble")).to_contain_text("This key may not do that.")
    page.reload()
    page.fill("#secret", secret)
    page.check("#key input[type=checkbox]")
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("#first .hit")).to_have_count(1)
    page.reload()
    expect(page.locator("#first .hit")).to_have_count(1)
    assert secret not in page.evaluate("JSON.stringify([{...localStorage}, location.href])")


def test_a_server_that_stops_is_waited_for(visit, model, tmp_path):
    with imi.open(tmp_path / "pets.imi", model=model) as made:
        made.add([imi.Document("1", "猫")])

    def serve(port):
        settings = Settings(collections=(str(tmp_path / "pets.imi"),), keys=tmp_path / "keys.json", log=False)
        state = build_state(settings, {"built-in": model})
        listener = socket.create_server(("127.0.0.1", port))
        server = Server(configure(build_app(state), settings), state)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        return server, thread, listener

    def stop(server, thread, listener):
        server.should_exit = server.force_exit = True
        thread.join(10)
        listener.close()

    running = serve(0)
    port = running[2].getsockname()[1]
    page = visit(f"http://127.0.0.1:{port}/", forgive=("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY"))
    expect(page.locator("#first .hit")).to_have_count(1)
    stop(*running)
    page.fill("#ask", "cat")
    expect(page.locator("#trouble")).to_contain_text("The server does not answer")
    running = serve(port)
    try:
        expect(page.locator("#trouble")).to_be_hidden()
        expect(column(page, "meaning").locator(".hit")).to_have_count(1)
    finally:
        stop(*running)


CARD = """
const kind = WebGLRenderingContext.prototype;
const told = kind.getParameter;
kind.getParameter = function (name) { return name === 37446 ? "a card" : told.call(this, name); };
"""


@pytest.mark.parametrize("card", [False, True], ids=["processor", "card"])
def test_a_map_on_disk_needs_nothing_else(visit, tmp_path, card):
    rng = np.random.default_rng(0)
    texts = [f"</script><script>window.hacked=1</script> 猫 {row}" for row in range(60)]
    drawn = tasks.map(rng.normal(size=(60, 8)), texts, "pca", columns={"half": ["a", "b"] * 30}, colour="half")
    drawn.save(tmp_path / "map.html", "a < b")
    page = visit((tmp_path / "map.html").as_uri(), script=CARD if card else "")
    expect(page.locator(".imi-title")).to_contain_text("a < b")
    expect(page.locator(".imi-legend li")).to_have_text(["a · 30", "b · 30"])
    assert page.locator("#map canvas").evaluate("one => one.getContext('2d') === null") == card
    light = page.locator("#map canvas").screenshot()
    assert len(light) > 4_000, "an even picture takes fewer bytes"
    page.get_by_label("Dark or light").click()
    assert page.locator("#map canvas").screenshot() != light
    page.get_by_label("Find a word on the map").fill("猫 7")
    page.locator(".imi-found button").first.click()
    expect(page.locator(".imi-chosen .imi-found li")).to_have_count(5)
    assert page.evaluate("window.hacked") is None


def test_the_policy_allows_this_server_alone(pets):
    for path in ("/", "/web/page.js", "/web/map/map.js"):
        headers = pets.http.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    page = pets.http.get("/").text
    assert not re.search(r"<style|style=|<script(?! type=\"module\" src)|\son\w+=", page)
    assert pets.http.get("/web/map/page.html").status_code == 404
    assert json.loads(pets.http.get("/health").text)["status"]


def test_the_token_of_an_address_is_taken_out_of_it_and_kept(visit, start, model, tmp_path):
    with imi.open(tmp_path / "pets.imi", model=model) as made:
        made.add([imi.Document("1", "a cat"), imi.Document("2", "a dog")])
    served = start({"built-in": model}, collections=(str(tmp_path / "pets.imi"),), token="a-token-that-nobody-knows")
    page = visit(f"{served.url}/?token=a-token-that-nobody-knows#pets")
    expect(page.locator("#first .hit")).to_have_count(2)
    assert page.url == f"{served.url}/#pets"
    page.reload()
    expect(page.locator("#first .hit")).to_have_count(2)
    stranger = visit(f"{served.url}/#pets", forgive=("401",))
    expect(stranger.locator("dialog#key")).to_be_visible()
    expect(stranger.locator("#first .hit")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1600, 900), (1280, 800), (390, 844)])
def test_the_slider_stands_still_under_the_pointer_and_snaps_to_its_stops(visit, pets, width, height):
    page = visit(f"{pets.url}/#pets", viewport={"width": width, "height": height})
    asked(page, "the cat sleeps")
    slider = page.locator("#dims")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    left, right = box["x"] + 8, box["x"] + box["width"] - 8
    stops = [32, 64, 128, 256, 512]
    assert page.locator(".stop").all_inner_texts() == [str(stop) for stop in stops]
    page.mouse.move(right, middle)
    page.mouse.down()
    seen = []
    for step in range(40, -1, -1):  # all the way to the left, with the button held
        page.mouse.move(left + (right - left) * step / 40, middle)
        said = page.locator("#size output").inner_text()
        seen.append(int(re.search(r"\d+", said)[0]))
        assert slider.bounding_box() == box
    page.mouse.up()
    assert list(dict.fromkeys(seen)) == stops[::-1]
    expect(page.locator(".kept i")).to_have_count(10)
    assert slider.bounding_box() == box
    # Equally far apart, each above its name.
    for at, name in enumerate(page.locator(".stop").all()):
        place = name.bounding_box()
        assert abs(place["x"] + place["width"] / 2 - (left + (right - left) * at / 4)) < 4
    page.locator(".stop").nth(2).click()
    expect(page.locator("#size output")).to_contain_text("128")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#size output")).to_contain_text("256")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
