"""A desk phone's keys, as they go out (RFC 4733)."""

import asyncio
import struct

from lab.speech import FRAME, KEY_FRAMES, Keypad


class Listener(asyncio.DatagramProtocol):
    """Keeps the packets that come."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.packets.append(data)


async def test_a_key_is_told_while_it_is_held_and_thrice_that_it_was_let_go() -> None:
    loop = asyncio.get_running_loop()
    transport, listener = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    keypad = Keypad("127.0.0.1")
    await keypad.open()
    keypad.speak_to(f"c=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n")

    await keypad.press("#")
    await keypad.close()
    transport.close()

    heads = [struct.unpack("!BBHII", packet[:12]) for packet in listener.packets]
    events = [struct.unpack("!BBH", packet[12:]) for packet in listener.packets]
    assert [kind for _, kind, *_ in heads] == [0x80 | 96, *[96] * (len(heads) - 1)], "the first is marked"
    assert len({at for *_, at, _ in heads}) == 1, "all tell of the moment at which it was pressed"
    assert [number for _, _, number, *_ in heads] == list(range(len(heads)))
    assert {key for key, *_ in events} == {11}
    assert [duration for *_, duration in events] == [FRAME * n for n in range(1, KEY_FRAMES + 1)] + [800] * 3
    assert [bool(flags & 0x80) for _, flags, _ in events] == [False] * KEY_FRAMES + [True] * 3
