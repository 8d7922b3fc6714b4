"""``callrouter dialplan``: render, write, compare."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from lab.paths import PROJECT


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    return shutil.copytree(PROJECT / "config", tmp_path / "config")


def dialplan(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["dialplan", "--config", str(config), *arguments])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_it_prints_the_dialplan_and_tells_what_it_cannot_do(config: Path) -> None:
    result = dialplan(config)

    assert result.exit_code == 0
    assert "[callrouter-survival]" in result.stdout
    assert "warning: routes.yaml:14: the switch typhoon is taken as off: only the daemon knows it" in result.stderr


def test_it_writes_a_file_which_is_then_up_to_date(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "callrouter-survival.conf"

    written, compared = dialplan(config, "--out", str(out)), dialplan(config, "--check", "--out", str(out))

    assert (written.exit_code, compared.exit_code) == (0, 0)
    assert "[callrouter-survival]" in out.read_text(encoding="utf-8")
    assert "up to date, exact until" in compared.stdout
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [out.name], "something is left beside it"


def test_a_file_of_other_rules_is_told_and_not_written(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "survival.conf"
    dialplan(config, "--out", str(out))
    before = out.read_text(encoding="utf-8")
    edit(config / "calendars.yaml", "mon-fri 09:00-18:00\n    closed_on", "mon-fri 08:00-18:00\n    closed_on")

    result = dialplan(config, "--check", "--out", str(out))

    assert result.exit_code == 1
    assert "is of other rules" in result.stderr
    assert out.read_text(encoding="utf-8") == before


def test_a_file_that_is_exact_for_a_few_days_more_is_told(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "survival.conf"
    dialplan(config, "--out", str(out))
    text = re.sub(r"SURVIVAL_UNTIL=.*", "SURVIVAL_UNTIL=2026-01-01", out.read_text(encoding="utf-8"))
    out.write_text(text, encoding="utf-8")

    result = dialplan(config, "--check", "--out", str(out))

    assert (result.exit_code, "is exact only until 2026-01-01" in result.stderr) == (1, True)


@pytest.mark.parametrize("content", [None, "something else\n"])
def test_a_file_that_is_not_there_or_not_ours_is_told(config: Path, tmp_path: Path, content: str | None) -> None:
    out = tmp_path / "survival.conf"
    if content is not None:
        out.write_text(content, encoding="utf-8")

    result = dialplan(config, "--check", "--out", str(out))

    assert result.exit_code == 1
    assert str(out) in result.stderr


def test_a_file_that_cannot_be_written_is_told(config: Path, tmp_path: Path) -> None:
    result = dialplan(config, "--out", str(tmp_path / "nowhere" / "survival.conf"))
    assert (result.exit_code, "cannot be written" in result.stderr) == (1, True)


def test_of_several_sites_one_must_be_named(config: Path) -> None:
    site = "  changwon: {title: 창원, ari_url: 'http://127.0.0.1:9', password_env: CALLROUTER_ARI_PASSWORD}\n"
    edit(config / "callrouter.yaml", "sites:\n", f"sites:\n{site}")

    unnamed, wrong, named = (
        dialplan(config),
        dialplan(config, "--site", "changwn"),
        dialplan(config, "--site", "changwon"),
    )

    assert (unnamed.exit_code, wrong.exit_code, named.exit_code) == (2, 2, 0)
    assert "write --site with one of: changwon, gyeongnam" in unnamed.stderr
    assert 'did you mean "changwon"?' in wrong.stderr
    assert "nobody at this site serves the queue gyeongnam" in named.stderr


def test_what_cannot_stand_in_a_dialplan_is_refused_with_its_place(config: Path) -> None:
    edit(config / "agents.yaml", "endpoint: PJSIP/301", "endpoint: 'PJSIP/301;x'")

    result = dialplan(config)

    assert result.exit_code == 1
    assert 'agent 301: "PJSIP/301;x" cannot stand in a dialplan; write a technology' in result.stderr
