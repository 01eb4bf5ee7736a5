"""A collection is data: the model that a file names gets nothing until the user has said so."""

import json
import threading

import pytest

import imi
from imi import trust
from imi.errors import DataError, NotTrusted, UsageError
from imi.llm.endpoint import Endpoint, is_configured, split_name
from imi.llm.names import public_name, public_url

SENTENCE = "which is not one of imi's own"


# --- a received collection ---


def test_searching_sends_nothing_and_words_still_find(received, run, stranger):
    done = run("search", "shared.imi", "coffee", "--json")
    assert done.code == 0
    assert [hit["text"] for hit in done.json] == ["coffee is good"]
    assert done.err.count(SENTENCE) == 1
    assert stranger.seen == []


@pytest.mark.parametrize(
    "command",
    [
        ["search", "shared.imi", "tea", "--mode", "meaning"],
        ["add", "shared.imi", "more.txt"],
        ["zero-shot", "shared.imi", "--labels", "good,bad"],
    ],
)
def test_what_needs_the_model_says_so_and_sends_nothing(received, run, stranger, command):
    (received / "more.txt").write_text("a secret of mine\n", "utf-8")
    done = run(*command)
    assert done.code == 1
    assert SENTENCE in done.err and "--trust" in done.err
    assert stranger.seen == []


@pytest.mark.parametrize(
    "command", [["ask", "shared.imi", "is tea better"], ["search", "shared.imi", "tea", "--compare"]]
)
def test_what_can_do_without_does(received, run, stranger, command):
    done = run(*command)
    assert done.code == 0 and "tea" in done.out
    assert SENTENCE in done.err
    assert stranger.seen == []


def test_looking_after_it_sends_nothing(received, run, stranger):
    for command in (["ls"], ["show", "shared.imi"], ["verify", "shared.imi"], ["repair", "shared.imi"],
                    ["backup", "shared.imi", "b.imi"], ["doctor", "shared.imi"]):  # fmt: skip
        assert run(*command).code == 0, command
    assert stranger.seen == []


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".npy", ".parquet", ".db"])
def test_an_export_is_data_too(received, run, stranger, suffix):
    assert run("add", "mine.imi", f"shared{suffix}").code == 0
    done = run("search", "mine.imi", "coffee", "--json")
    assert [hit["text"] for hit in done.json] == ["coffee is good"] and SENTENCE in done.err
    assert stranger.seen == []


def test_rows_of_an_export_without_vectors_are_not_sent(received, run, stranger):
    lines = (received / "shared.jsonl").read_text("utf-8").splitlines()
    bare = [json.loads(line) for line in lines]
    del bare[1]["embedding"]
    (received / "bare.jsonl").write_text("".join(json.dumps(one) + "\n" for one in bare), "utf-8")
    done = run("add", "mine.imi", "bare.jsonl")
    assert done.code == 1 and SENTENCE in done.err
    assert stranger.seen == []


def test_a_fingerprint_of_mine_in_a_strangers_file_opens_nothing(received, run, stranger, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    trust.remember("openai:text-embedding-3-small", "f" * 32, key=True)
    with imi.open("shared.imi") as c, c._store.writing():
        values = json.loads(c._store.meta("model"))
        c._store.set_meta("fingerprint", "f" * 32)
        c._store.set_meta("model", json.dumps(values))
    assert SENTENCE in run("search", "shared.imi", "tea").err
    assert stranger.seen == []


def test_the_library_says_so_as_well(received, stranger):
    with imi.open("shared.imi", mode="r") as c:
        hits = c.search("coffee")
        assert hits.mode == "text" and SENTENCE in hits.notes[0] and hits[:1].notes == hits.notes
        assert isinstance(c.untrusted, NotTrusted)
        with pytest.raises(NotTrusted):
            c.search("coffee", mode="meaning")
        with pytest.raises(NotTrusted):
            c.model  # noqa: B018  asking for it is what is tested
        assert len(c.search(c.vectors()[0], mode="meaning")) == 2  # a vector needs no model
        assert "notes" in c.explain("coffee", mode="hybrid").to_dict() or not c.explain("coffee", mode="hybrid").search
    assert stranger.seen == []


@pytest.mark.parametrize(
    "name", ["st:somebody/model", "onnx:/tmp/there", "hf-static:x", "clip:a,b", "theirs:x", "/tmp"]
)
def test_every_kind_of_name_but_ones_own_needs_a_word(here, name, monkeypatch):
    with imi.open("z.imi", model="hash") as c:
        c.add([imi.Document("1", "cats")])
        with c._store.writing():
            values = json.loads(c._store.meta("model"))
            c._store.set_meta("model", json.dumps(values | {"name": name}))
    loaded = []
    monkeypatch.setattr("imi.collection.model.load", lambda *a, **_: loaded.append(a))
    with imi.open("z.imi") as c:
        assert [hit.id for hit in c.search("cats")] == ["1"]
        assert c.search("cats").notes
    assert loaded == []


# --- the user's word ---


def test_trust_lets_the_model_answer_without_the_key_and_is_remembered(received, run, stranger):
    done = run("search", "shared.imi", "tea", "--trust", "--json")
    assert done.code == 0 and SENTENCE not in done.err
    assert stranger.seen and stranger.keys == []
    stranger.seen.clear()
    assert SENTENCE not in run("search", "shared.imi", "better things").err
    assert stranger.seen and stranger.keys == []


def test_trust_is_for_one_collection_and_ends_with_the_command(received, run, stranger):
    (received / "s.txt").write_text("milk\n", "utf-8")
    run("search", "shared.imi", "tea", "--trust")
    assert trust.granted_now() is False
    assert trust.word_on(stranger.model, "0" * 32) is None


@pytest.mark.parametrize(("said", "trusted"), [("1", True), ("yes", True), ("0", False), ("", False), ("other", False)])
def test_imi_trust(received, run, stranger, monkeypatch, said, trusted):
    monkeypatch.setenv("IMI_TRUST", said)
    assert (SENTENCE not in run("search", "shared.imi", "tea").err) is trusted
    assert bool(stranger.seen) is trusted and stranger.keys == []


def test_imi_trust_takes_fingerprints_and_names(received, run, stranger, monkeypatch):
    fingerprint = json.loads(run("show", "shared.imi", "--json").out)["fingerprint"]
    monkeypatch.setenv("IMI_TRUST", f"abcdefgh, {fingerprint[:12]}")
    assert SENTENCE not in run("search", "shared.imi", "tea").err
    monkeypatch.setenv("IMI_TRUST", fingerprint[:4])  # too short to mean one
    assert SENTENCE in run("search", "shared.imi", "tea").err
    monkeypatch.setenv("IMI_TRUST", stranger.model)
    assert SENTENCE not in run("search", "shared.imi", "tea").err


def test_a_model_that_i_named_is_asked_again_with_its_key(received, run, stranger):
    assert run("add", "mine.imi", "r.txt", "--model", stranger.model).code == 0
    assert stranger.keys
    stranger.seen.clear()
    assert SENTENCE not in run("search", "mine.imi", "tea").err
    assert set(stranger.keys) == {"Bearer sk-secret-of-mine"}


def test_naming_it_in_this_call_is_a_word(received, run, stranger, monkeypatch):
    assert SENTENCE not in run("search", "shared.imi", "tea", "--model", stranger.model).err
    assert stranger.keys
    (received / "home").mkdir()
    monkeypatch.setenv("IMI_HOME", str(received / "home"))
    monkeypatch.setenv("IMI_MODEL", stranger.model)
    assert SENTENCE not in run("search", "shared.imi", "tea").err


def test_a_word_given_beside_another_is_not_lost(own_home):
    said = [
        threading.Thread(target=trust.remember, args=(f"st:m{n}", f"{n:032x}"), kwargs={"key": False})
        for n in range(12)
    ]
    for one in said:
        one.start()
    for one in said:
        one.join()
    assert all(trust.word_on(f"st:m{n}", f"{n:032x}") for n in range(12))


def test_a_broken_list_of_words_is_no_word(own_home):
    trust.remember("st:m", "0" * 32, key=True)
    assert trust.word_on("st:m", "0" * 32)
    trust.words_file().write_text("{", "utf-8")
    assert trust.word_on("st:m", "0" * 32) is None


def test_a_relative_folder_is_another_one_elsewhere(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    trust.remember("st:model", "0" * 32, key=True)
    assert trust.word_on("st:model", "0" * 32)
    monkeypatch.chdir(tmp_path / "b")
    assert trust.word_on("st:model", "0" * 32) is None


# --- keys and passwords ---


def test_which_urls_get_a_key(monkeypatch):
    assert is_configured("https://api.openai.com/v1/")
    assert not is_configured("https://api.openai.com.evil.example/v1")
    assert not is_configured("http://localhost:8080/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8080/v1/")
    assert is_configured("http://localhost:8080/v1")


def test_no_key_where_a_file_named_the_url(monkeypatch):
    pytest.importorskip("httpx")
    monkeypatch.delenv("IMI_BUDGET", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-mine")
    named = imi.load("openai:m@http://localhost:1/v1", send_key=False)
    assert "authorization" not in named.inner.endpoint._client.headers
    typed = imi.load("openai:m@http://localhost:1/v1")
    assert typed.inner.endpoint._client.headers["authorization"] == "Bearer sk-secret-of-mine"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:s3cr3t@host:80/v1/", "http://host:80/v1"),
        ("http://s3cr3t@host/v1", "http://host/v1"),
        ("http://user:s3%40cr3t@[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("https://host/v1?api-version=3&api_key=s3cr3t", "https://host/v1?api-version=3"),
        ("https://host/v1?access_token=s3cr3t", "https://host/v1"),
        ("https://host/@scope/v1", "https://host/@scope/v1"),
    ],
)
def test_what_is_shown_of_a_url(url, shown):
    assert public_url(url) == shown
    assert public_name(f"openai:m@{url}") == f"openai:m@{shown}"
    pytest.importorskip("httpx")
    assert "s3cr3t" not in repr(Endpoint(url)) + Endpoint(url)._at("embeddings")


@pytest.mark.parametrize(
    "url", ["http://user:s3/cr3t@host/v1", "http://user:s3cr3t@/v1", "http://user:s3cr3t@host:99x/v1"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url):
    with pytest.raises(UsageError) as wrong:
        split_name(f"m@{url}")
    assert "cr3t" not in str(wrong.value)


def test_a_password_is_used_and_neither_kept_nor_told(received, run, stranger):
    named = f"openai:m@http://user:s3cr3t@{stranger.address}"
    assert run("add", "mine.imi", "r.txt", "-q", "--model", named).code == 0
    assert all(key.startswith("Basic ") for key in stranger.keys) and stranger.keys
    for suffix in (".jsonl", ".csv", ".npy"):
        assert run("export", "mine.imi", f"x{suffix}", "-q").code == 0
    shown = run("show", "mine.imi", "--json").out + run("ls").out
    kept = b"".join(one.read_bytes() for one in received.rglob("*") if one.is_file())
    assert "s3cr3t" not in shown and b"s3cr3t" not in kept
    assert "s3cr3t" not in trust.words_file().read_text("utf-8")


def test_a_password_that_was_kept_before_goes_no_further(received, run, stranger):
    with imi.open("shared.imi") as c, c._store.writing():
        values = json.loads(c._store.meta("model"))
        hidden = f"openai:m@http://user:s3cr3t@{stranger.address}"
        values |= {"name": hidden, "info": values["info"] | {"id": hidden, "source": hidden.removeprefix("openai:m@")}}
        c._store.set_meta("model", json.dumps(values))
    assert run("export", "shared.imi", "x.jsonl").code == 0
    told = run("show", "shared.imi", "--json").out + run("search", "shared.imi", "tea").err
    assert "s3cr3t" not in told + (received / "x.jsonl").read_text("utf-8")


# --- model folders run no code of their own ---


def _folder(tmp_path, files):
    folder = tmp_path / "model"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]},
        {"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.util.os"}]},
        {"modules.json": [{"idx": 0, "name": "0", "path": "../x", "type": "sentence_transformers.models.Pooling"}]},
        {"config.json": {"auto_map": {"AutoModel": "modeling.Evil"}}},
        {"0_T/config.json": {"auto_map": {"AutoModel": "modeling.Evil"}}},
        {"adapter_config.json": {"base_model_name_or_path": "/tmp/other"}},
        {"sentence_bert_config.json": {"tokenizer_name_or_path": "/tmp/other"}},
        {"router_config.json": {"types": {"a": "evil.Module"}, "structure": {}}},
        {"config.json": {}, "pytorch_model.bin": "pickle"},
        {"config.json": {}, "model.safetensors": "", "1_Dense/pytorch_model.bin": "pickle"},
    ],
    ids=lambda files: next(reversed(files)),
)
def test_a_folder_that_would_run_code_is_refused(tmp_path, files):
    from imi.embedders.model_folder import check_runs_no_code

    folder = _folder(tmp_path, files)
    with pytest.raises(DataError, match="is not loaded"):
        check_runs_no_code(folder)
    if "modules.json" in files:
        pytest.importorskip("sentence_transformers")
        with pytest.raises(DataError, match="is not loaded"):
            imi.load(f"st:{folder}")


def test_an_ordinary_folder_is_not(tmp_path):
    from imi.embedders.model_folder import check_runs_no_code

    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"]
    modules = [{"idx": at, "name": str(at), "path": f"{at}_x", "type": kind} for at, kind in enumerate(kinds)]
    files = {"modules.json": modules, "config.json": {}, "model.safetensors": "", "pytorch_model.bin": ""}
    check_runs_no_code(_folder(tmp_path, files | {"training_args.bin": ""}))
