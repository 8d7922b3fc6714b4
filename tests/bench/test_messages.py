"""What SIPp writes down is read to the microsecond, and what was sent twice is found on either side."""

import pytest

from bench.messages import Message, read, retransmissions, ringing_ms

CALL = "1-11005@127.0.0.2"
LINES = (
    f"2026-11-24\t14:50:06.307342\t1795531806.307342\tS\t{CALL}\tCSeq:1 INVITE\tINVITE sip:120@127.0.0.1 SIP/2.0\n",
    f"2026-11-24\t14:50:06.308045\t1795531806.308045\tR\t{CALL}\tCSeq:1 INVITE\tSIP/2.0 100 Trying\n",
    f"2026-11-24\t14:50:06.311870\t1795531806.311870\tR\t{CALL}\tCSeq:1 INVITE\tSIP/2.0 180 Ringing\n",
)


def message(at_s: float, direction: str, start: str, *, call: str = "a", cseq: str = "CSeq:1 INVITE") -> Message:
    return Message(at_s, direction, call, cseq, start)


def test_a_message_is_read_with_its_time() -> None:
    first, *_, last = read(LINES)

    assert first == (1795531806.307342, "S", CALL, "CSeq:1 INVITE", "INVITE sip:120@127.0.0.1 SIP/2.0")
    assert (last.at_s, last.direction, last.start) == (1795531806.31187, "R", "SIP/2.0 180 Ringing")


@pytest.mark.parametrize("length", [0, 10, 60, len(LINES[2]) - 1])
def test_a_line_that_sipp_has_not_finished_is_left_out(length: int) -> None:
    assert len(list(read([*LINES[:2], LINES[2][:length]]))) == 2


def test_ringing_is_measured_from_the_first_invite_to_the_first_180_of_each_call() -> None:
    messages = [
        message(10.0, "S", "INVITE sip:120@x SIP/2.0"),
        message(10.002, "S", "INVITE sip:120@x SIP/2.0", call="b"),
        message(10.25, "S", "INVITE sip:120@x SIP/2.0"),
        message(10.251, "R", "SIP/2.0 180 Ringing"),
        message(10.004, "R", "SIP/2.0 180 Ringing", call="b"),
        message(10.3, "R", "SIP/2.0 180 Ringing"),
        message(10.0, "S", "INVITE sip:120@x SIP/2.0", call="never rang"),
        message(10.1, "R", "SIP/2.0 200 OK", call="never rang"),
    ]

    assert ringing_ms(messages) == pytest.approx([251.0, 2.0])


def test_what_is_sent_or_received_twice_counts_and_a_second_180_does_not() -> None:
    once = [
        message(1.0, "S", "INVITE sip:120@x SIP/2.0"),
        message(1.1, "R", "SIP/2.0 180 Ringing"),
        message(1.2, "R", "SIP/2.0 180 Ringing"),
        message(1.3, "R", "SIP/2.0 200 OK"),
        message(1.4, "S", "ACK sip:120@x SIP/2.0", cseq="CSeq:1 ACK"),
        message(2.0, "S", "BYE sip:120@x SIP/2.0", cseq="CSeq:2 BYE"),
        message(2.1, "R", "SIP/2.0 200 OK", cseq="CSeq:2 BYE"),
        message(1.0, "S", "INVITE sip:120@x SIP/2.0", call="another"),
    ]

    assert retransmissions(once) == 0
    assert retransmissions([*once, once[0]]) == 1
    assert retransmissions([*once, once[3], once[4], once[3]]) == 3
