"""An Asterisk that runs on what ``callrouter asterisk`` wrote: calls come through, over TLS; strangers do not."""

import asyncio
import http.client
import json
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from callrouter.cli import main
from callrouter.core.cdr import Outcome
from callrouter.pbx.certificates import make_certificate
from lab import audio
from lab.asterisk import LabAsterisk
from lab.baresip import Baresip
from lab.errors import NotReadyError
from lab.paths import PROJECT
from lab.phones import CARRIER_ADDRESS, counselor_phones
from lab.sipp import Sipp
from lab.testing import asterisk_for_tests
from tests.acceptance.centre import Centre, edit
from tests.acceptance.conftest import PHONES_ADDRESS

pytestmark = pytest.mark.asterisk

STRANGER = "127.0.0.9"
COUNSELOR_HZ, RESIDENT_HZ = 1300.0, 1100.0


def with_carrier(config: Path) -> None:
    (config / "trunks.yaml").write_text("trunks:\n  carrier:\n    channels: 4\n", encoding="utf-8")


def over_tls(config: Path, certificate: Path) -> None:
    with_carrier(config)
    edit(config / "callrouter.yaml", r"^(    ari_url: .*)$", rf"\1\n    ca_file: {certificate}")


@pytest.fixture(scope="module")
def rendered(agi_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabAsterisk]:
    folder = tmp_path_factory.mktemp("rendered")
    config = folder / "config"
    shutil.copytree(PROJECT / "config", config)
    with_carrier(config)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CALLROUTER_ARI_PASSWORD", "x")
        asterisk = asterisk_for_tests(agi_port, phones=counselor_phones())
        etc = Path(asterisk.home.inside(asterisk.directory / "etc"))
        words = ["asterisk", str(folder / "new"), "--config", str(config), "--address", "127.0.0.1", "--tls"]
        words += ["--sip-port", str(asterisk.sip_port), "--ari-port", str(asterisk.http_port)]
        words += ["--trunk", f"carrier={CARRIER_ADDRESS}:{asterisk.settings.carrier_port}", "--installed-as", str(etc)]
        words += ["--modules", str(asterisk.home.module_folder())]
        result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    written = {path.name: path.read_text(encoding="utf-8") for path in (folder / "new").iterdir()}
    passwords = dict(line.split() for line in written.pop("phones.txt").splitlines())
    secrets = {"ari": written.pop("ari-password").strip(), **{f"phone-{name}": one for name, one in passwords.items()}}
    asterisk.state_dir.mkdir(parents=True, exist_ok=True)
    (asterisk.state_dir / "credentials.json").write_text(json.dumps(secrets), encoding="utf-8")
    asterisk.instead, asterisk.ca_file = written, folder / "new" / "callrouter.crt"
    audio.write_tone(asterisk.directory / "data/moh/music.wav", 1000.0, duration_s=20)
    asterisk.start()
    yield asterisk
    asterisk.remove()


@pytest.fixture
async def office(rendered: LabAsterisk, agi_port: int, database: str, tmp_path: Path) -> AsyncIterator[Centre]:
    assert rendered.ca_file is not None
    certificate = rendered.ca_file
    one = Centre(
        rendered, tmp_path, agi_port=agi_port, database_url=database, edit=lambda config: over_tls(config, certificate)
    )
    await one.start()
    yield one
    one.daemon.kill()


def security_log(asterisk: LabAsterisk) -> str:
    return (asterisk.directory / "log/security.log").read_text(encoding="utf-8", errors="replace")


async def until_logged(asterisk: LabAsterisk, pattern: str) -> str:
    """The first line of the security log that is so."""
    async with asyncio.timeout(10):
        # Asterisk tells nobody when its logger has written.
        while (found := re.search(pattern, security_log(asterisk))) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found[0]


async def test_a_call_goes_through_and_the_daemon_asks_over_tls(rendered: LabAsterisk, office: Centre) -> None:
    password = rendered.credentials.phone_passwords["201"]
    resident = Baresip(
        "0552251234",
        CARRIER_ADDRESS,
        server=rendered.sip_address,
        tone_hz=RESIDENT_HZ,
        port=rendered.settings.carrier_port,
    )
    phone = Baresip("201", PHONES_ADDRESS, server=rendered.sip_address, password=password, tone_hz=COUNSELOR_HZ)
    async with resident, phone:
        await office.until_agent("201", "available")
        await office.talk(resident, phone)
        await resident.hang_up()
        cdr = await office.cdr()
    assert (cdr.outcome, cdr.agent) == (Outcome.HANDLED, "201")
    assert rendered.ari.server_url.startswith("https://")


async def test_a_daemon_that_trusts_somebody_else_does_not_talk_to_it(
    rendered: LabAsterisk, agi_port: int, database: str, tmp_path: Path
) -> None:
    make_certificate(tmp_path / "other.crt", tmp_path / "other.key", "127.0.0.1")
    one = Centre(
        rendered,
        tmp_path / "office",
        agi_port=agi_port,
        database_url=database,
        edit=lambda config: over_tls(config, tmp_path / "other.crt"),
    )
    one.daemon.start(wait=False)
    try:
        async with asyncio.timeout(10):
            while "certificate verify failed" not in one.daemon.log_tail():  # noqa: ASYNC110 - the log tells nobody
                await asyncio.sleep(0.05)
        assert not one.daemon.is_ready()
    finally:
        one.daemon.kill()


def ask(asterisk: LabAsterisk, source: str, password: str | None = None) -> int:
    """The status of a request for the channels from an address of this machine."""
    trusted = ssl.create_default_context(cafile=str(asterisk.ca_file))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", asterisk.http_port, timeout=5, context=trusted, source_address=(source, 0)
    )
    user, right = asterisk.ari.user, asterisk.ari.password
    try:
        connection.request("GET", f"/ari/channels?api_key={user}:{password or right}")
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_right_password_counts_from_the_daemons_address_alone(rendered: LabAsterisk) -> None:
    assert ask(rendered, "127.0.0.1") == 200
    assert ask(rendered, STRANGER) in (401, 403)
    assert ask(rendered, "127.0.0.1", "wrong") == 401


def ask_in_the_clear(asterisk: LabAsterisk) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", asterisk.http_port, timeout=5)
    try:
        connection.request("GET", "/ari/channels")
        return connection.getresponse().status
    finally:
        connection.close()


def test_nothing_answers_without_tls(rendered: LabAsterisk) -> None:
    with pytest.raises((http.client.HTTPException, OSError)):
        ask_in_the_clear(rendered)


async def test_a_stranger_who_dials_120_is_refused_and_is_in_the_security_log(rendered: LabAsterisk) -> None:
    stranger = Sipp("uac_talk", address=STRANGER, target=rendered.sip_address, service="120", count=1, timeout_s=5)
    async with stranger:
        refused = await stranger.saw("SIP/2.0 401")
    assert "WWW-Authenticate" in refused
    line = await until_logged(rendered, r'SecurityEvent="(?:ChallengeSent|InvalidAccountID)".*127\.0\.0\.9.*')
    assert 'RemoteAddress="IPV4/UDP/127.0.0.9/' in line
    assert rendered.channels() == []


async def test_a_phone_with_a_wrong_password_is_in_the_security_log_as_fail2ban_reads_it(
    rendered: LabAsterisk,
) -> None:
    guessing = Baresip("201", PHONES_ADDRESS, server=rendered.sip_address, password="1234")
    with pytest.raises(NotReadyError):
        async with guessing:
            pass
    # The filter "asterisk" of fail2ban 1.0 takes lines of this form.
    event = r'SECURITY\[\d+\].*SecurityEvent="ChallengeResponseFailed".*AccountID="201"'
    await until_logged(rendered, event + r'.*RemoteAddress="IPV4/UDP/127\.0\.0\.3/')


def test_only_what_is_needed_is_loaded(rendered: LabAsterisk) -> None:
    loaded = rendered.cli("module show")
    for needless in ("chan_iax2", "res_http_post", "app_system", "func_shell", "res_xmpp", "chan_sip"):
        assert needless not in loaded
    assert "res_security_log.so" in loaded
