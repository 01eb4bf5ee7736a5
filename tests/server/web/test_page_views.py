"""The page as people use it: links to send, cards, answers, tasks, pictures, and the map with its names."""

import base64
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

import imi

DATA = Path(__file__).parents[2] / "data"
MARKUP = "<img src=x onerror='window.hacked=1'>"
HACKED = "window.hacked"


@pytest.fixture(scope="module")
def shop(start, model, tmp_path_factory):
    """Return a server of sixty reviews, of texts made by a template, and of texts full of markup."""
    folder = tmp_path_factory.mktemp("shop")
    with imi.open(folder / "reviews.imi", model=model) as made:
        made.add_files(DATA / "reviews.csv")
    made_up = [
        imi.Document(
            "1", "Title: Green tea; Content: Fresh and mild.<br />I drink it every day.", {"Time": 1351209600}
        ),
        imi.Document(
            "2", "Title: Green tea; Content: Fresh and mild.<br />I drink it every day.", {"Time": 1351123200}
        ),
        imi.Document("3", "Title: Dog bed; Content: My puppy sleeps in it all day.", {"Time": 1351036800}),
    ]
    with imi.open(folder / "made.imi", model=model) as made:
        made.add(made_up)
    with imi.open(folder / "bad.imi", model=model) as made:
        made.add([imi.Document(f"{MARKUP}{n}", f"{MARKUP} cat {n}", {"title": f"{MARKUP} {n % 7}"}) for n in range(40)])
    return start(
        {"built-in": model}, collections=tuple(str(folder / f"{name}.imi") for name in ("reviews", "made", "bad"))
    )


def column(page, mode="meaning"):
    return page.locator(f'.mode[data-mode="{mode}"]')


def answered(page, query):
    expect(page.locator("#modes")).to_have_attribute("data-asked", query)


def test_the_address_holds_what_is_shown_and_is_followed(visit, shop):
    page = visit(f"{shop.url}/#reviews")
    expect(page.locator("#first .hit").first).to_be_visible()
    page.fill("#ask", "beans")
    answered(page, "beans")
    page.click("#filter-button")
    page.locator("fieldset", has_text="Score").get_by_label("5").check()
    page.locator(".stop").nth(1).click()
    expect(page.locator(".kept i").first).to_be_visible()
    shown = unquote(page.url.replace("+", " "))
    assert shown.endswith('#reviews?q=beans&dims=64&where={"Score":{"in":[5]}}')
    ids = column(page).locator(".hit").evaluate_all("all => all.map((one) => one.dataset.id)")

    def holds():
        expect(page.locator("#ask")).to_have_value("beans")
        expect(page.locator("#chips")).to_have_text("Score 5 ×")
        expect(page.locator("#size output")).to_contain_text("64 of 512")
        expect(page.locator(".kept i")).to_have_count(10)
        answered(page, "beans")
        assert column(page).locator(".hit").evaluate_all("all => all.map((one) => one.dataset.id)") == ids

    page.reload()
    holds()
    page.click("#to-ask")
    expect(page.locator(".answer")).to_be_visible()
    page.go_back()
    expect(page.locator("#view-search")).to_be_visible()
    holds()
    page.evaluate("location.hash = '#made?q=puppy'")
    expect(page.locator("#collection")).to_have_value("made")
    answered(page, "puppy")
    expect(column(page).locator(".hit-title").first).to_have_text("Dog bed")
    expect(page.locator("#chips")).to_be_empty()
    page.go_back()
    expect(page.locator("#collection")).to_have_value("reviews")
    holds()
    page.evaluate("location.hash = '#nowhere/nothing?q=%E0%A4%A&dims=-3&where=[oops'")
    expect(page.locator("#view-search")).to_be_visible()
    assert page.evaluate("document.querySelectorAll('#trouble:not([hidden])').length") == 0


def test_a_question_of_the_collections_own_is_a_click_away_and_there_is_more(visit, shop):
    page = visit(f"{shop.url}/#reviews")
    example = page.locator(".example").first
    said = example.inner_text()
    example.click()
    answered(page, said)
    expect(page.locator("#ask")).to_have_value(said)
    hits = column(page).locator(".hit")
    expect(hits).to_have_count(10)
    column(page).get_by_role("button", name="More").click()
    expect(hits).to_have_count(20)
    assert len(set(hits.evaluate_all("all => all.map((one) => one.dataset.id)"))) == 20
    expect(hits.nth(19).locator(".rank")).to_have_text("20")
    page.go_back()
    expect(page.locator(".example").first).to_be_visible()


def test_a_card_reads_like_a_document(visit, shop):
    page = visit(f"{shop.url}/#made?q=tea")
    answered(page, "tea")
    card = column(page).locator(".hit").first
    expect(card.locator(".hit-title")).to_have_text("Green tea")
    expect(card.locator(".hit-title mark")).to_have_text("tea")
    text = card.locator(".hit-text").inner_text()
    assert text == "Fresh and mild.\nI drink it every day."
    expect(card.locator(".hit-facts")).to_contain_text(re.compile("Oct 2[56], 2012"))
    expect(card.locator(".copies")).to_have_text("2 that say the same")
    expect(card.locator(".nearness")).to_have_attribute("aria-label", re.compile(r"nearness \d+ %"))
    page.fill("#ask", "子犬")
    answered(page, "子犬")
    expect(column(page).locator(".hit").first.locator("mark.meant").first).to_have_text("puppy")
    page.fill("#ask", "quantum chromodynamics")
    answered(page, "quantum chromodynamics")
    expect(column(page).locator(".nothing")).to_have_text("Nothing here comes near this.")
    expect(column(page).locator(".hit").first).to_be_hidden()
    column(page).get_by_role("button", name="Show what is least far").click()
    expect(column(page).locator(".hit").first).to_be_visible()
    page.goto(f"{shop.url}/#reviews?q=beans")
    answered(page, "beans")
    card = column(page, "text").locator(".hit", has_text="Hard little beans")
    expect(card.get_by_role("img", name="Score: 2 of 5 stars")).to_have_text("★★☆☆☆")
    card.locator(".link").click()
    expect(page.locator("#reading-title")).to_have_text("Hard little beans")


def test_an_answer_opens_the_passage_it_rests_on(visit, shop):
    page = visit(f"{shop.url}/#reviews/ask?q=How%20long%20did%20the%20kidney%20beans%20boil%3F")
    expect(page.locator(".answer")).to_contain_text("I boiled these kidney beans for three hours")
    page.locator(".cite").first.click()
    expect(page.locator("#reading")).to_contain_text("I boiled these kidney beans for three hours")
    page.keyboard.press("Escape")
    page.fill("#ask", "Who was the first emperor of Rome?")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .nothing")).to_have_text("Nothing here answers that.")
    expect(page.locator(".answered h2")).to_have_text("Nearest passages")
    assert "/ask?q=Who" in page.url


def test_tasks_show_texts(visit, shop):
    page = visit(f"{shop.url}/#made/tasks")
    page.click("[data-task=dedupe] .main")
    expect(page.locator("[data-task=dedupe] .row")).to_have_text(["Green tea Fresh and mild.\nI drink it every day."])
    page.goto(f"{shop.url}/#reviews/tasks")
    page.click("[data-task=cluster] .main")
    expect(page.locator("[data-task=cluster] .groups h3").first).to_contain_text(re.compile("[a-z]"))
    row = page.locator("[data-task=cluster] .row").first
    said = row.locator("b").inner_text()
    row.click()
    expect(page.locator("#reading-title")).to_have_text(said)
    page.keyboard.press("Escape")
    page.click("[data-task=map] .main")
    expect(page.locator("#map canvas")).to_be_visible()


def test_filters_offer_what_is_worth_filtering_in_its_order(visit, shop):
    page = visit(f"{shop.url}/#reviews")
    page.click("#filter-button")
    names = page.locator("#filters legend")
    expect(names.first).to_have_text("Score")
    assert not {"Id", "UserId", "ProductId", "Summary", "line"} & set(names.all_inner_texts())
    score = page.locator("fieldset", has_text="Score").first
    assert score.locator(".choice span").all_inner_texts() == ["1", "2", "3", "4", "5"]
    count = int(score.locator(".choice", has_text="5").locator("small").inner_text())
    score.get_by_label("5").check()
    expect(page.locator("#passing")).to_have_text(f"{count} of 60 match")
    page.get_by_label("Time from").fill("2012-01-01")
    expect(page.locator("#chips")).to_contain_text("Time ≥ Jan 1, 2012")
    where = {"and": [{"Score": {"in": [5]}}, {"Time": {">=": 1325376000}}]}
    told = shop.http.post("/api/v1/collections/reviews/look", json={"where": where, "k": 1}).json()["passing"]
    expect(page.locator("#passing")).to_have_text(f"{told} of 60 match")


def regions(page):
    return page.locator(".imi-region:not([hidden])")


def test_the_map_names_its_regions_and_says_what_stands_out(visit, shop):
    page = visit(f"{shop.url}/#reviews/map?q=dogs", reduced_motion="reduce")
    said = page.locator("#map-said")
    expect(said).to_have_text("Large points: the 10 nearest in meaning to “dogs”.")
    expect(page.get_by_label("Colour by")).to_have_value("topic")
    options = page.get_by_label("Colour by").locator("option").all_inner_texts()
    assert options[:2] == ["topic", "Score"] and not {"Id", "line", "source", "UserId"} & set(options)
    expect(regions(page).first).to_be_visible()
    page.get_by_label("Find a word on the map").fill("beans")
    expect(said).to_have_text(re.compile(r"Large points: the \d+ whose text contains “beans”\."))
    # However near one goes, something says where one is.
    page.locator(".imi-panel > .imi-found button").first.click()
    for _ in range(5):
        page.get_by_label("Zoom in").click()
        expect(regions(page).first).to_be_visible()
    page.get_by_label("Find a word on the map").fill("")
    expect(said).to_contain_text("nearest in meaning to “dogs”")
    page.get_by_label("Show all").click()
    before = page.locator("#map canvas").screenshot()
    page.locator(".stop").first.click()
    expect(said).to_contain_text("Drawn from 32 of 512 dimensions.")
    assert page.locator("#map canvas").screenshot() != before
    page.locator(".stop").last.click()
    expect(said).not_to_contain_text("Drawn from")


def test_two_sizes_stand_beside_each_other_and_share_what_is_chosen(visit, shop):
    page = visit(f"{shop.url}/#reviews/map?q=dogs", reduced_motion="reduce", viewport={"width": 2000, "height": 900})
    expect(page.locator("#map-said")).to_contain_text("nearest in meaning")
    page.get_by_role("button", name="Side by side").click()
    beside = page.locator("#map-beside-said")
    expect(page.locator("#map-said")).to_contain_text("Drawn from all 512 dimensions.")
    expect(beside).to_contain_text("Drawn from 64 of 512 dimensions.")
    right = page.locator("#map-beside canvas")
    expect(page.locator("#map-beside .imi-panel")).to_be_hidden()
    drawn = right.screenshot()
    page.locator(".stop").first.click()  # the second map moves, the first stays
    expect(beside).to_contain_text("Drawn from 32 of 512 dimensions.")
    assert right.screenshot() != drawn
    expect(page.locator("#map-said")).to_contain_text("Drawn from all 512 dimensions.")
    page.locator("#map").get_by_label("Find a word on the map").fill("beans")
    page.locator("#map .imi-panel > .imi-found button").first.click()
    expect(page.locator("#map .imi-ring")).to_be_visible()
    expect(page.locator("#map-beside .imi-ring")).to_be_visible()
    page.get_by_role("button", name="Side by side").click()
    expect(page.locator("#map-beside")).to_be_hidden()
    expect(page.locator("#map-said")).to_contain_text("Drawn from 32 of 512 dimensions.")


@pytest.mark.parametrize("view", ["?q=cat", "/ask?q=which%20cat%20is%20it%20here", "/map"])
def test_markup_in_titles_texts_and_ids_stays_text(visit, shop, view):
    page = visit(f"{shop.url}/#bad{view}")
    if view == "/map":
        expect(page.locator(".imi-title")).to_contain_text("40 documents")
        page.locator("#map canvas").press("Enter")
        expect(page.locator(".imi-chosen")).to_contain_text("<img src=x")
    else:
        expect(page.locator(".hit-title").first).to_contain_text("<img src=x")
    assert page.evaluate(HACKED) is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_can_be_read_by_all(visit, shop, serious, scheme):
    page = visit(f"{shop.url}/#reviews", color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator(".example").first).to_be_visible()
    assert serious(page) == []
    page.fill("#ask", "beans")
    answered(page, "beans")
    assert serious(page) == []
    page.click("#to-ask")
    expect(page.locator(".answer")).to_be_visible()
    assert serious(page) == []
    page.click("#to-tasks")
    page.click("[data-task=dedupe] .main")
    expect(page.locator("[data-task=dedupe] .quiet").nth(1)).to_be_visible()
    assert serious(page) == []
    page.goto(f"{shop.url}/docs")
    expect(page.locator("h1")).to_have_text("The API")
    assert serious(page) == []


def test_pictures_are_a_gallery_and_are_searched_by_one(visit, start, model, tmp_path, serious):
    drawn = pytest.importorskip("tests.drawn", reason="the extra `pictures` is not installed")
    shapes = ("disc", "box")
    pictures = [imi.Document(f"{shape}.png", picture=drawn.draw(shape)) for shape in shapes]
    with imi.open(tmp_path / "album.imi", model=model) as made:
        made.add(pictures)
    page = visit(start({"built-in": model}, collections=(str(tmp_path / "album.imi"),)).url, reduced_motion="reduce")
    expect(page.locator(".gallery .picture")).to_have_count(2)
    page.fill("#ask", "a box")
    expect(page.locator(".modes.alone .hit")).to_have_count(2)
    expect(column(page, "text")).to_be_hidden()
    column(page).locator(".link").first.click()
    expect(page.locator("#reading")).to_contain_text("A picture is compared as a whole")
    expect(page.locator("#reading .cosine")).to_be_visible()
    page.keyboard.press("Escape")
    data = base64.b64encode(png(drawn.draw("box"))).decode()
    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
          const carried = new DataTransfer();
          carried.items.add(new File([bytes], "some.png", { type: "image/png" }));
          dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried }));
        }""",
        data,
    )
    expect(page.get_by_alt_text("The picture that is searched by")).to_be_visible()
    expect(column(page).locator(".hit").first).to_have_attribute("data-id", "box.png")
    assert serious(page) == []
    page.get_by_role("button", name="Let go of the picture").click()
    expect(page.locator(".gallery .picture")).to_have_count(2)
    page.click("#to-map")
    expect(page.locator(".imi-picture[src]")).to_have_count(2)


def png(picture) -> bytes:
    """Return a drawn picture as the file that a browser would carry."""
    import io

    from PIL import Image

    if isinstance(picture, bytes):
        return picture
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, "PNG")
    return file.getvalue()
