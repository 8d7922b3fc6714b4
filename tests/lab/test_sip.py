"""SIP messages and G.711, as the laboratory's desk phone speaks them."""

import math

import pytest

from lab import audio, sip
from lab.errors import LabError
from lab.speech import FRAME, from_ulaw, to_ulaw

INVITE = (
    b"INVITE sip:201@127.0.0.3:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKa\r\n"
    b'Via: SIP/2.0/UDP 127.0.0.9\r\nFrom: "x" <sip:110@127.0.0.1>;tag=f1\r\nTo: <sip:201@127.0.0.3>\r\n'
    b"CSeq: 7 INVITE\r\nContact: <sip:asterisk@127.0.0.1:5060>\r\n\r\nv=0\r\n"
)


def test_a_request_is_read_by_its_headers() -> None:
    message = sip.parse(INVITE)
    assert (message.method, message.branch, message.is_response) == ("INVITE", "z9hG4bKa", False)
    assert len(message.all("via")) == 2
    assert sip.tag_of(message.header("from")) == "f1"
    assert sip.tag_of(message.header("to")) == ""
    assert sip.uri_of(message.header("contact")) == "sip:asterisk@127.0.0.1:5060"
    assert message.body == "v=0\r\n"


def test_a_response_says_what_it_answers() -> None:
    message = sip.parse(sip.render("SIP/2.0 486 Busy Here", [("CSeq", "3 INVITE")]))
    assert (message.status, message.method) == (486, "INVITE")
    assert message.header("content-length") == "0"


def test_what_is_no_sip_is_refused() -> None:
    with pytest.raises(LabError, match="no SIP message"):
        sip.parse(b"GET / HTTP/1.1\r\n\r\n")


def test_a_password_is_proved_as_the_standard_says() -> None:
    # The example of RFC 2617, section 3.5, without the quality of protection.
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    given = sip.authorization(challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in given
    assert "qop=auth" in sip.authorization(f'{challenge}, qop="auth"', "GET", "/", "Mufasa", "x")


def test_speech_survives_its_code() -> None:
    assert [from_ulaw(to_ulaw(level)) for level in (0, 8031, -8031)] == [0, 7932, -7932]
    assert to_ulaw(0) == 0xFF
    step = 2 * math.pi * 1300 / audio.RATE_HZ
    spoken = [int(10_000 * math.sin(step * n)) for n in range(5 * FRAME)]
    heard = [from_ulaw(to_ulaw(sample)) for sample in spoken]
    assert max(abs(one - other) for one, other in zip(spoken, heard, strict=True)) < 400
