"""``callrouter asterisk``: what is written, and what it does not write."""

import re
import shutil
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callrouter.cli.asterisk import asterisk
from callrouter.config import load
from callrouter.errors import CallrouterError, ConfigError
from callrouter.pbx.certificates import make_certificate
from lab.paths import PROJECT

TRUNKS = """\
trunks:
  kt: {members: [{endpoint: kt-1, channels: 8}, {endpoint: kt-2, channels: 8, site: gyeongnam}]}
  sk: {channels: 4}
"""
KNOWN = ("--trunk", "kt-1=203.0.113.5", "--trunk", "kt-2=203.0.113.6:5070", "--trunk", "sk=203.0.113.7")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "x")
    folder = shutil.copytree(PROJECT / "config", tmp_path / "config")
    (folder / "trunks.yaml").write_text(TRUNKS, encoding="utf-8")
    for name in ("destinations.yaml", "queues.yaml"):  # what goes out by the sample's carrier goes by kt
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace("carrier", "kt"), encoding="utf-8")
    return folder


def run(config: Path, *arguments: str) -> Result:
    given = [str(config.parent / "new"), "--config", str(config), "--address", "10.0.0.5", *arguments]
    return CliRunner().invoke(asterisk, given)


def written(config: Path, name: str) -> str:
    return (config.parent / "new" / name).read_text(encoding="utf-8")


def test_phones_and_trunks_are_those_of_the_rules(config: Path) -> None:
    result = run(config, *KNOWN)
    assert result.exit_code == 0
    assert f"{config.parent / 'new'}: 8 phones, 3 trunks" in result.output
    pjsip = written(config, "pjsip.conf")
    assert re.findall(r"^\[(\w+)\]\(phone\)$", pjsip, re.MULTILINE) == [
        *("201", "202", "203", "204", "205", "206", "301", "302")
    ]
    assert re.findall(r"^contact=sip:(.*)$", pjsip, re.MULTILINE) == ["203.0.113.5", "203.0.113.6:5070", "203.0.113.7"]
    assert re.findall(r"^match=(.*)$", pjsip, re.MULTILINE) == ["203.0.113.5", "203.0.113.6", "203.0.113.7"]
    assert "[anonymous]" not in pjsip
    assert "CALLROUTER_FALLBACK_PHONES=PJSIP/201&PJSIP/202&" in written(config, "extensions.conf")


def test_every_password_is_long_of_its_own_and_nowhere_else(config: Path) -> None:
    run(config, *KNOWN)
    phones = [line.split()[1] for line in written(config, "phones.txt").splitlines()]
    passwords = {*phones, written(config, "ari-password").strip()}
    assert len(passwords) == 9
    assert all(re.fullmatch(r"[\w-]{32}", password) for password in passwords)
    assert all((config.parent / "new" / name).stat().st_mode & 0o007 == 0 for name in ("pjsip.conf", "ari.conf"))


def test_for_a_daemon_on_the_same_machine_ari_stays_on_loopback(config: Path) -> None:
    output = run(config, *KNOWN).output
    assert "bindaddr=127.0.0.1\nbindport=8088\n" in written(config, "http.conf")
    assert "permit=127.0.0.1\n" in written(config, "acl.conf")
    assert "ari_url: http://127.0.0.1:8088, password_file: ari-password" in output


def test_for_a_daemon_elsewhere_it_is_over_tls_and_for_that_address_alone(config: Path) -> None:
    output = run(config, *KNOWN, "--daemon-address", "10.0.0.6").output
    assert "enabled=no\n" in written(config, "http.conf")
    assert "tlsbindaddr=10.0.0.5:8089\ntlscertfile=/etc/asterisk/callrouter.crt\n" in written(config, "http.conf")
    assert "permit=10.0.0.6\n" in written(config, "acl.conf")
    assert "ari_url: https://10.0.0.5:8089, ca_file: callrouter.crt, password_file: ari-password" in output
    assert ssl.create_default_context(cafile=str(config.parent / "new" / "callrouter.crt")).get_ca_certs()
    assert (config.parent / "new" / "callrouter.key").stat().st_mode & 0o007 == 0


def dials_in(config: Path, dial_in: str = "") -> None:
    """Have the site's Asterisk dial."""
    path = config / "callrouter.yaml"
    text = path.read_text(encoding="utf-8").replace("connection: inbound", "connection: outbound")
    path.write_text(re.sub(r"^dial_in:\n(?:[ ].*\n)+", f"dial_in: {{{dial_in}}}\n", text, flags=re.M), encoding="utf-8")


def test_an_asterisk_that_is_to_dial_the_daemon_is_told_where_and_by_which_password(config: Path) -> None:
    dials_in(config)
    output = run(config, *KNOWN).output

    password = written(config, "ari-password").strip()
    client, ari = written(config, "websocket_client.conf"), written(config, "ari.conf")
    assert "connection_type=persistent\nuri=ws://127.0.0.1:4574/gyeongnam\nprotocols=ari\n" in client
    assert f"username=callrouter\npassword={password}\n" in client
    assert "tls_enabled" not in client
    assert "type=outbound_websocket\nwebsocket_client_id=callrouter-daemon\napps=callrouter\n" in ari
    assert "local_ari_user=callrouter\n" in ari
    assert "CALLROUTER_WAIT_S=20\n" in written(config, "extensions.conf")
    assert output.endswith("5. it dials ws://127.0.0.1:4574/gyeongnam, without TLS\n")
    assert (config.parent / "new" / "websocket_client.conf").stat().st_mode & 0o007 == 0


def test_it_dials_over_tls_where_the_daemon_has_a_certificate(config: Path) -> None:
    dials_in(config, "host: 10.0.0.6, allow: [10.0.0.0/8], certificate: own.crt, key: own.key")
    result = run(config, *KNOWN, "--daemon-address", "10.0.0.6")
    output = result.output
    assert result.exit_code == 0, result.exception

    client = written(config, "websocket_client.conf")
    assert "uri=wss://10.0.0.6:4574/gyeongnam\n" in client
    assert "tls_enabled=yes\nca_list_file=/etc/asterisk/callrouter-daemon.crt\nverify_server_cert=yes\n" in client
    assert "copy certificate: of dial_in: to /etc/asterisk/callrouter-daemon.crt" in output


def test_one_that_is_dialled_dials_nobody(config: Path) -> None:
    output = run(config, *KNOWN).output
    assert "[" not in written(config, "websocket_client.conf")
    assert "outbound_websocket" not in written(config, "ari.conf")
    assert "CALLROUTER_WAIT_S" not in written(config, "extensions.conf")
    assert "5. it dials" not in output


def test_where_it_could_not_reach_the_daemon_that_is_said(config: Path) -> None:
    dials_in(config)
    result = run(config, *KNOWN, "--daemon-address", "10.0.0.6")
    assert result.exit_code == 2
    words = " ".join(result.output.split())
    assert "the daemon lets Asterisks dial in at 127.0.0.1 alone; write dial_in: {host: 10.0.0.6}" in words


def test_only_modules_that_are_there_are_loaded(config: Path, tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    for name in ("res_pjsip", "chan_pjsip", "chan_iax2"):
        (modules / f"{name}.so").touch()
    run(config, *KNOWN, "--modules", str(modules))
    assert re.findall("^load=(.*)", written(config, "modules.conf"), re.M) == ["res_pjsip.so", "chan_pjsip.so"]


def test_nothing_is_ever_written_over(config: Path) -> None:
    run(config, *KNOWN)
    before = written(config, "pjsip.conf")
    result = run(config, *KNOWN)
    assert isinstance(result.exception, CallrouterError)
    assert "is not empty, and nothing is ever written over; name a new folder" in str(result.exception)
    assert written(config, "pjsip.conf") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "where does the trunk kt-1 lead? write --trunk kt-1=HOST"),
        (("--trunk", "kt-1"), "'kt-1': write it as NAME=HOST or NAME=HOST:PORT"),
        (("--trunk", "kt=1.2.3.4"), "the rules know no trunk 'kt' at gyeongnam"),
        (("--trunk", "kt-1=1.2.3.4\nmatch=0.0.0.0/0"), "is no address of a host; write it as 10.0.0.5"),
        ((*KNOWN, "--daemon-address", "daemon.local"), "'daemon.local' is no IP address, by which Asterisk tells"),
        ((*KNOWN, "--site", "jinju"), "unknown site 'jinju'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(config: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(config, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not (config.parent / "new").exists()


def test_of_several_sites_one_is_named_and_its_links_are_trunks(config: Path) -> None:
    text = (config / "callrouter.yaml").read_text(encoding="utf-8")
    second = "  annex:\n    title: 별관\n    ari_url: http://127.0.0.1:8090\n    password_env: ANNEX\n"
    (config / "callrouter.yaml").write_text(re.sub(r"^sites:\n", f"sites:\n{second}", text, flags=re.M), "utf-8")
    (config / "trunks.yaml").write_text(
        "trunks:\n  line: {channels: 4, between: {gyeongnam: to-annex, annex: to-hall}}\n"
        "  kt: {members: [{endpoint: kt, channels: 4, site: gyeongnam}]}\n",
        encoding="utf-8",
    )
    assert "there are several sites; write --site with one of: annex, gyeongnam" in run(config).output
    result = run(config, "--site", "annex", "--trunk", "to-hall=10.0.0.5")
    assert result.exit_code == 0
    assert "[to-hall](media)\ncontext=callrouter-sites\n" in written(config, "pjsip.conf")
    assert "8 phones" not in result.output


def test_without_openssl_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CallrouterError, match="openssl makes the certificate, and is not here; apt-get install"):
        make_certificate(tmp_path / "a", tmp_path / "b", "127.0.0.1")


def test_what_openssl_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallrouterError, match="openssl made no certificate for"):
        make_certificate(tmp_path / "no" / "folder", tmp_path / "b", "pbx.local")


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_keeps_the_daemon_from_starting_and_that_is_said(
    config: Path, text: str | None
) -> None:
    dials_in(config, "certificate: own.crt, key: own.key")
    if text is not None:
        for name in ("own.crt", "own.key"):
            (config / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"Asterisk cannot dial in over TLS: .*own\.crt and .*own\.key: "):
        load(config, {"CALLROUTER_ARI_PASSWORD": "x"}).require_secrets()


class TestVouching:
    """``ca_file`` of a site."""

    @pytest.mark.parametrize("text", [None, "no certificate"])
    def test_where_nobody_can_vouch_the_daemon_does_not_start_and_says_why(
        self, config: Path, text: str | None
    ) -> None:
        if text is not None:
            (config / "ca.pem").write_text(text, encoding="utf-8")
        site = (config / "callrouter.yaml").read_text(encoding="utf-8")
        site = re.sub(r"^    ari_url: .*$", "    ari_url: https://10.0.0.5:8089\n    ca_file: ca.pem", site, flags=re.M)
        (config / "callrouter.yaml").write_text(site, encoding="utf-8")
        loaded = load(config, {"CALLROUTER_ARI_PASSWORD": "x"})
        with pytest.raises(ConfigError, match=r"who vouches for the certificate of site .* is not known: .*ca\.pem"):
            loaded.require_secrets()
