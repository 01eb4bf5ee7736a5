"""`imi cost`."""

KEYS = {"texts", "tokens", "requests", "money", "minutes", "cached"}


def test_a_file_and_a_collection(reviews, run):
    file = run("cost", "reviews.csv", "--model", "openai:text-embedding-3-small", "--json")
    assert file.code == 0, file.err
    assert set(file.json) == KEYS
    assert file.json["money"] > 0 and file.json["requests"] == 1
    held = run("cost", "reviews.imi", "--model", "openai:text-embedding-3-small", "--json")
    assert held.json["texts"] == file.json["texts"]


def test_a_model_without_a_known_price(here, run):
    done = run("cost", "reviews.csv", "--model", "openai:m@http://127.0.0.1:9/v1", "--json")
    assert done.json["money"] is None
    assert "IMI_PRICE" in done.err
