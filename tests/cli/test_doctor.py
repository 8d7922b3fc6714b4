"""``callrouter doctor``: the whole, as people and programs read it."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli import main
from callrouter.config import load
from callrouter.web.server import WebServer
from callrouter.web.sources import JournalHealth
from tests.doctor.conftest import make_sound, variables
from tests.fakes.ari import Answer, FakeAri, fake_ari
from tests.fakes.status import FakeStatus
from tests.fakes.threads import in_thread

SAMPLE = Path(__file__).parents[2] / "config"
BAD = Path(__file__).parents[1] / "bad_config"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def web_port() -> int:
    return free_port()


@pytest.fixture
def asterisk(web_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAri]:
    """A sound Asterisk, and an environment that leads the sample configuration to it."""
    with in_thread(fake_ari()) as fake:
        make_sound(fake)
        for variable, value in {
            "CALLROUTER_ARI_URL": fake.url,
            "CALLROUTER_ARI_PASSWORD": "secret",
            "CALLROUTER_ARI_SOUNDS_DIR": str(tmp_path / "sounds/callrouter"),
            "CALLROUTER_STATE_DIR": str(tmp_path / "state"),
            "CALLROUTER_WEB_PORT": str(web_port),
            "CALLROUTER_AGI_PORT": str(free_port()),
            "CALLROUTER_DATABASE_URL": "",
            "PATH": "/nowhere",
        }.items():
            monkeypatch.setenv(variable, value)
        yield fake


def run(*arguments: str, config: Path = SAMPLE) -> Result:
    return CliRunner().invoke(main, ["doctor", "--config", str(config), *arguments], catch_exceptions=False)


def test_each_fault_comes_with_its_remedy_and_errors_say_no(asterisk: FakeAri) -> None:
    result = run()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    (place,) = [i for i, line in enumerate(lines) if "Asterisk knows no" in line]
    assert lines[place].split()[:3] == ["error", "asterisk", "gyeongnam"]
    assert "PJSIP/202, PJSIP/203, PJSIP/204, PJSIP/205, PJSIP/206, PJSIP/301, PJSIP/302" in lines[place]
    assert lines[place + 1].strip().startswith("-> define them in pjsip.conf")
    assert any("callers hear no announcement" in line for line in lines)
    assert any(line.startswith("ok ") and "2 queues, 8 agents" in line for line in lines)


def test_without_errors_the_answer_is_yes_although_there_are_warnings(asterisk: FakeAri, tmp_path: Path) -> None:
    asterisk.endpoints = [
        {"technology": "PJSIP", "resource": name, "state": "online", "channel_ids": []}
        for name in ("201", "202", "203", "204", "205", "206", "301", "302")
    ]
    asterisk.on("GET asterisk/ping", lambda _: Answer(200, {"asterisk_id": "a", "timestamp": f"{datetime.now(UTC)}"}))
    asterisk.on("GET asterisk/variable", variables(ASTDATADIR=str(tmp_path)))
    sample = load(SAMPLE)
    (tmp_path / "sounds/callrouter/en").mkdir(parents=True)
    for prompt in [*sample.prompts, *(f"en/{name}" for name in sample.translations["en"])]:
        (tmp_path / "sounds/callrouter" / f"{prompt}.wav").write_text("x")
    result = run("--json")
    data = json.loads(result.stdout)
    assert [f for f in data["findings"] if f["level"] == "error"] == []
    assert (result.exit_code, data["ok"]) == (0, True)
    warnings = [f for f in data["findings"] if f["level"] == "warning"]
    assert "no database is configured: CDRs stay in the journal" in [f["text"] for f in warnings]
    assert all(f["remedy"] for f in warnings)


def test_a_running_daemon_has_its_ports_and_its_trouble_is_told(asterisk: FakeAri, web_port: int) -> None:
    source = FakeStatus()
    with in_thread(WebServer("127.0.0.1", web_port, source)):
        well = run().stdout
        source.condition = replace(source.condition, journal=JournalHealth("disk full"))
        ill = run().stdout
    assert "callrouter 0.1.0 runs and takes calls" in well
    assert f"127.0.0.1:{web_port} is in use, as it should be" in well
    assert "the journal cannot be written: disk full; 0 records wait in memory" in ill


def test_a_faulty_configuration_is_all_that_is_looked_at(tmp_path: Path) -> None:
    for path in (BAD / "base").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "routes.yaml").write_bytes((BAD / "routes.several-faults-at-once.yaml").read_bytes())
    result = run("--json", config=tmp_path)
    data = json.loads(result.stdout)
    assert (result.exit_code, data["ok"]) == (1, False)
    assert {f["check"] for f in data["findings"]} == {"configuration"}
    assert data["findings"][0]["remedy"] == 'did you mean "do"?'


def test_a_missing_password_is_an_error_that_names_its_source(
    asterisk: FakeAri, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALLROUTER_ARI_PASSWORD")
    findings = json.loads(run("--json").stdout)["findings"]
    (secret,) = [f for f in findings if f["check"] == "secrets"]
    assert secret["level"] == "error"
    assert secret["remedy"] == "set it in $CALLROUTER_ARI_PASSWORD"


def test_howto_asks_nobody_and_names_the_one_line() -> None:
    result = run("--howto")
    assert result.exit_code == 0
    assert "#include callrouter.conf" in result.stdout
    assert "extensions_custom.conf" in result.stdout
