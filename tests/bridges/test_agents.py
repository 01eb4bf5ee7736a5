"""Agents' settings: imi's server is put in and taken out, and nothing else is touched."""

import json
import tomllib
from pathlib import Path

import pytest

import imi.cli
from imi.bridges import agents
from imi.bridges.agents import AGENTS, apply, changes
from imi.bridges.settings_text import _read_json, _read_toml
from imi.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "imi"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)


def do(agent, folder, **how):
    made = changes(agent, folder, **how)
    for change in made:
        apply(change)
    return made


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("project", [True, False])
def test_each_agent_gets_a_server_and_a_skill_and_loses_them(agent, project, tmp_path):
    folder = tmp_path / "project" if project else None
    settings, skill = do(agent, folder)
    text = Path(settings.path).read_text("utf-8")
    value = tomllib.loads(text) if settings.path.endswith(".toml") else json.loads(text)
    entry = value[AGENTS[agent].servers]["imi"]
    assert entry["args"][-2:] == ["mcp", "."] and entry["command"]
    assert "name: imi" in Path(skill.path).read_text("utf-8") and settings.diff.count("\n+") > 2
    assert [change.kind for change in do(agent, folder)] == ["unchanged", "unchanged"]
    do(agent, folder, undo=True)
    assert not files(tmp_path / ("project" if project else "user"))
    assert not [path for path in (tmp_path / "project").rglob("*") if project]


@pytest.mark.parametrize("agent", ["claude-code", "vscode", "codex"])
def test_other_settings_stay_and_come_back_to_the_byte(agent, tmp_path):
    path = tmp_path / AGENTS[agent].project
    path.parent.mkdir(parents=True, exist_ok=True)
    before = (
        '# mine\nmodel = "o"\n\n[mcp_servers.other]\ncommand = "x"'
        if path.suffix == ".toml"
        else f'{{\n\t"{AGENTS[agent].servers}": {{"other": {{"command": "x"}}}},\n\t"猫":   1}}'
    )
    path.write_text(before, "utf-8")
    do(agent, tmp_path)
    text = path.read_text("utf-8")
    value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    assert set(value[AGENTS[agent].servers]) == {"other", "imi"}
    do(agent, tmp_path, undo=True)
    assert path.read_text("utf-8") == before


@pytest.mark.parametrize("agent", ["claude-code", "codex"])
def test_settings_that_were_changed_since_lose_the_server_alone(agent, tmp_path):
    do(agent, tmp_path)
    path = tmp_path / AGENTS[agent].project
    if path.suffix == ".toml":
        path.write_text(path.read_text() + '\n[mcp_servers.later]\ncommand = "y"\n')
    else:
        value = json.loads(path.read_text())
        value["mcpServers"]["later"] = {"command": "y"}
        path.write_text(json.dumps(value))
    do(agent, tmp_path, undo=True)
    text = path.read_text()
    value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    assert set(value[AGENTS[agent].servers]) == {"later"}


JSON = [
    "",
    " \n",
    "{}",
    '{"SERVERS": {}}',
    '{"SERVERS": {"other": {"command": "x"}}, "a": [1, 1.0, 1e3, "\\ud800"]}',
    '{\n    "a": [1, 2],\n    "SERVERS": {\n        "other": {"command": "x"}\n    },\n    "b": {}\n}',
    '{\r\n\t"SERVERS": {\r\n\t\t"other": {"command": "x"}\r\n\t}\r\n}\r\n',
    '\ufeff{\n  "SERVERS": {}\n}\n',
    '{\n  // mine: "SERVERS": {\n  "SERVERS": {\n'
    '    // of the other, with a " in it\n    "other": {"command": "x"}, // end\n  },\n}\n',
    '{\n  /* } */ "a": "// no comment", /* , */\n  "SERVERS": { /* nothing yet */ }\n}',
    '// first\n{ "SERVERS": {"other": {}, }, }',
    '{"SERVERS": {"imi": {"command": "mine"}, "z": {}}}',
    '{\n  "SERVERS": {\n    "imi": {\n      "command": "mine" // old\n    },\n    "z": {}\n  }\n}',
    '{"SERVERS": {"a": {}}, "SERVERS": {"b": {}}}',
    '{"SERVERS": { // ends with {\n}, "a": 1}',
    '{"SERVERS": {\n  "b": {}, // of b {\n  "imi": {} } }',
]
TOML = [
    "",
    "# nothing but this",
    'model = "o"\r\n\r\n[mcp_servers.other]\r\ncommand = "x"\r\n',
    '[mcp_servers.imi]\ncommand = "mine"\n\n[mcp_servers.imi.env]\nA = "1"\n\n'
    "# of the other\n[mcp_servers.other]\nb = 1\n",
    '[ mcp_servers . "imi" ]\ncommand = "mine"\n# the end',
    'a = """\n[x]\n"""\n[mcp_servers]\n\n[[list]]\nb = 1\n\n[[list]]\nb = 2',
]


def odd_states():
    for agent in ("claude-code", "vscode"):
        for text in JSON:
            yield agent, text.replace("SERVERS", AGENTS[agent].servers)
    for text in TOML:
        yield "codex", text


def comments(text):
    return [
        line.split("//")[-1].split("#")[-1].strip(" ,}") for line in text.splitlines() if "// " in line or "# " in line
    ]


@pytest.mark.parametrize(("agent", "before"), [*odd_states()])
def test_settings_in_any_state_get_the_server_and_come_back_to_the_byte(agent, before, tmp_path):
    path = tmp_path / AGENTS[agent].project
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(before.encode("utf-8"))
    read = _read_toml if path.suffix == ".toml" else _read_json
    servers = AGENTS[agent].servers
    do(agent, tmp_path)
    after = path.read_bytes().decode("utf-8")
    wanted = read(before)
    wanted[servers] = wanted.get(servers, {}) | {"imi": read(after)[servers]["imi"]}
    assert read(after) == wanted and read(after)[servers]["imi"]["args"] == ["mcp", "."]
    assert [one for one in comments(before) if one not in after] in ([], ["old"])
    assert ("\r\n" in before) == ("\r\n" in after) and after.startswith("\ufeff") == before.startswith("\ufeff")
    assert [change.kind for change in do(agent, tmp_path)] == ["unchanged", "unchanged"]
    do(agent, tmp_path, undo=True)
    assert path.read_bytes().decode("utf-8") == before
    assert {change.kind for change in do(agent, tmp_path, undo=True)} == (
        {"unchanged"} if '"imi"' not in before and ".imi]" not in before else {"unchanged", "changed"}
    )


@pytest.mark.parametrize(("agent", "before"), [*odd_states()])
def test_settings_in_any_state_that_were_changed_since_lose_the_server_alone(agent, before, tmp_path):
    path = tmp_path / AGENTS[agent].project
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(before.encode("utf-8"))
    read = _read_toml if path.suffix == ".toml" else _read_json
    do(agent, tmp_path)
    with path.open("ab") as file:
        file.write(b"\n# more" if path.suffix == ".toml" else b"\n")
    do(agent, tmp_path, undo=True)
    after, wanted = path.read_bytes().decode("utf-8"), read(before)
    wanted.get(AGENTS[agent].servers, {}).pop("imi", None)
    left = read(after)
    for one in (left, wanted):
        if not one.get(AGENTS[agent].servers, True):
            del one[AGENTS[agent].servers]
    assert left == wanted
    assert [one for one in comments(before) if one not in after] in ([], ["old"])


def test_a_member_goes_in_as_an_editor_would_write_it(tmp_path):
    path = tmp_path / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{\n    "servers": {\n        "a": {"args": ["x", "y"]} // mine\n    }\n}\n')
    (settings, _) = do("vscode", tmp_path)
    assert [line for line in settings.diff.splitlines()[2:] if line[0] in "+-"] == [
        '-        "a": {"args": ["x", "y"]} // mine',
        '+        "a": {"args": ["x", "y"]}, // mine',
        '+        "imi": {',
        '+            "type": "stdio",',
        '+            "command": "imi",',
        '+            "args": [',
        '+                "mcp",',
        '+                "."',
        "+            ]",
        "+        }",
    ]


@pytest.mark.parametrize(
    ("agent", "text", "why"),
    [
        ("cursor", "[1]", "holds no JSON object"),
        ("cursor", '{"mcpServers": [1]}', "is not an object"),
        ("cursor", '{"mcpServers": ', "is not JSON"),
        ("cursor", '{"a": "x /* } ', "is not JSON"),
        ("cursor", "{ /* no end }", "has no end"),
        ("cursor", "[" * 50_000, "is not JSON"),
        ("codex", "a = ", "is not TOML"),
        ("codex", "mcp_servers = 3", "is not an object"),
        ("codex", 'mcp_servers = { other = { command = "x" } }', "cannot be changed safely"),
        ("codex", 'mcp_servers.imi.command = "x"', "cannot be changed safely"),
    ],
)
def test_what_cannot_be_changed_is_left_alone(agent, text, why, tmp_path):
    path = tmp_path / AGENTS[agent].project
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DataError, match=why) as refused:
        changes(agent, tmp_path)
    assert "by hand" in str(refused.value.hint)
    path.write_bytes(b"\xff\xfe{\0}\0")
    with pytest.raises(DataError, match="not UTF-8"):
        changes(agent, tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="is a directory"):
        changes(agent, tmp_path)


def test_agents_are_named_and_what_is_read_only_or_somebody_elses_stays(tmp_path):
    with pytest.raises(UsageError, match="claude-code, cursor"):
        changes("emacs")
    skill = tmp_path / ".cursor" / "skills" / "imi" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_bytes(b"---\r\nname: imi\r\n---\r\nmy own words\r\n")
    do("cursor", tmp_path)
    do("cursor", tmp_path, undo=True)
    assert skill.read_bytes() == b"---\r\nname: imi\r\n---\r\nmy own words\r\n"
    do("cursor", tmp_path)
    skill.write_text("---\nname: other\n---\n")
    do("cursor", tmp_path, undo=True)
    assert skill.exists()
    path = tmp_path / ".cursor" / "mcp.json"
    path.write_text("{}")
    path.chmod(0o444)
    with pytest.raises(DataError, match="is read-only"):
        changes("cursor", tmp_path)
    (tmp_path / ".gemini").write_text("a file")
    with pytest.raises(DataError, match=r"not a directory|is not a folder"):
        changes("gemini", tmp_path)


def test_links_stay_links_modes_stay_and_what_is_kept_is_for_the_user_alone(tmp_path):
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o600)
    link = tmp_path / ".mcp.json"
    link.symlink_to(real)
    do("claude-code", tmp_path)
    assert link.is_symlink() and "imi" in real.read_text() and real.stat().st_mode & 0o777 == 0o600
    kept = [path for path in (tmp_path / "imi" / "agents").iterdir() if path.is_file()]
    assert kept and {path.stat().st_mode & 0o077 for path in kept} == {0}
    do("claude-code", tmp_path, undo=True)
    assert link.is_symlink() and real.read_text() == "{}" and not list((tmp_path / "imi" / "agents").iterdir())


@pytest.mark.parametrize("agent", ["claude-code", "codex"])
def test_installed_by_two_versions_all_of_it_goes_and_no_folder_that_was_there(agent, tmp_path):
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".agents" / "skills").mkdir(parents=True)
    do(agent, tmp_path, command=["old", "mcp", "."])
    do(agent, tmp_path)
    do(agent, tmp_path, undo=True)
    assert not files(tmp_path) and (tmp_path / ".codex").is_dir() and (tmp_path / ".agents" / "skills").is_dir()
    assert not (tmp_path / ".claude").exists()
    kept = tmp_path / "imi" / "agents"
    do(agent, tmp_path)
    for path in kept.iterdir():
        path.write_text("{")
    do(agent, tmp_path, undo=True)
    assert not [
        name for name in files(tmp_path) if not name.startswith("imi") and "imi" in (tmp_path / name).read_text()
    ]


def test_the_command_shows_and_writes_all(tmp_path, capsys):
    assert imi.cli.main(["install", "all", "--project", "--dry-run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown) == 10 and {one["change"] for one in shown} == {"new"} and not (tmp_path / ".mcp.json").exists()
    assert imi.cli.main(["install", "all", "--project", "--json"]) == 0
    assert all(one["diff"] for one in json.loads(capsys.readouterr().out))
    assert json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["imi"] == {
        "command": "imi",
        "args": ["mcp", "."],
    }
    capsys.readouterr()
    assert imi.cli.main(["install", "all", "--project", "--undo"]) == 0
    assert '-    "imi": {' in capsys.readouterr().err
    assert not (tmp_path / ".mcp.json").exists()


def test_nothing_is_left_beside_settings_that_could_not_be_written(tmp_path, monkeypatch):
    place = tmp_path / "settings.json"
    with pytest.raises(UnicodeEncodeError):
        agents._replace(place, "\udce9", None)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(agents.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        agents._replace(place, "{}", None)
    assert not list(tmp_path.iterdir())
