"""Agents' settings: imi's server is put in and taken out, and nothing else is touched."""

import json
import tomllib
from pathlib import Path

import pytest

import imi.cli
from imi.bridges.agents import AGENTS, apply, changes
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


def test_what_cannot_be_read_is_left_alone_and_a_rewritten_skill_is_theirs(tmp_path):
    path = tmp_path / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{\n  // mine\n  "servers": {}\n}')
    with pytest.raises(DataError, match="not plain JSON"):
        changes("vscode", tmp_path)
    with pytest.raises(UsageError, match="claude-code, cursor"):
        changes("emacs")
    skill = tmp_path / ".cursor" / "skills" / "imi" / "SKILL.md"
    do("cursor", tmp_path)
    skill.write_text("---\nname: other\n---\n")
    do("cursor", tmp_path, undo=True)
    assert skill.exists()


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
