"""The short way into a socket (one read, one text frame) says the same as websockets' parser."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from hub.gateway.frames import whole_frames, whole_text
from tests.gateway.clients import World

SIZES = (0, 1, 125, 126, 127, 255, 65_535)


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=mask)


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_text_is_taken_and_a_cut_or_longer_one_is_not(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    data = frame(payload)
    assert whole_text(data) == payload
    assert whole_text(data[:-1]) is None
    assert whole_text(data + b"\x81") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(b"x" * 65_536),
        frame(b"x", mask=False) + bytes(4),
        frame(b"x" * 300, mask=False),
        frame(b"x", fin=False),
        frame(b"x", Opcode.BINARY),
        frame(b"x", Opcode.PONG),
        b"\xc1" + frame(b"x")[1:],
        b"\x81\xff" + bytes(131),
    ],
    ids=range(9),  # their masks are random, and names of tests must not be
)
def test_what_is_no_whole_text_is_left_to_the_parser(data: bytes) -> None:
    assert whole_text(data) is None


@pytest.mark.parametrize("size", SIZES)
def test_reads_that_end_between_messages(size: int) -> None:
    data = frame(b"x" * size)
    assert whole_frames(data)
    assert whole_frames(frame(b"", Opcode.PONG) + data + data)
    assert not whole_frames(data[:-1])
    assert not whole_frames(data + data[:3])
    assert not whole_frames(data + frame(b"the first part", fin=False))


FRAMES = st.one_of(
    st.text(max_size=5).map(lambda text: frame(json.dumps({"t": "send", "id": "t1.1", "text": text}).encode())),
    st.just(frame(b'{"t":"ping"}')),
    st.binary(max_size=130).map(lambda payload: frame(payload, Opcode.PING)),
    st.just(frame(b'{"t":"pi', fin=False) + frame(b'ng"}', Opcode.CONT)),
    st.binary(max_size=20).map(frame),
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=8), st.data())
async def test_answers_do_not_depend_on_how_the_bytes_are_cut(parts: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=8).map(sorted))
    cut = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    answers = []
    for chunks in (parts, cut, [bytes((byte,)) for byte in sent]):
        visitor = World().visitor()
        visitor.heard()
        for chunk in chunks:
            if not visitor.transport.ended:
                visitor.bytes(chunk)
        answers.append((visitor.heard(), visitor.closed))
    assert answers[0] == answers[1] == answers[2]


async def test_a_frame_inside_a_frame_is_not_taken_for_one() -> None:
    inner = frame(b'{"t":"ping"}')
    visitor = World().visitor()
    visitor.heard()
    visitor.bytes(bytes((0x81, 0x80 | len(inner))) + bytes(4))  # the head, with a mask that changes nothing
    visitor.bytes(inner)
    assert visitor.heard() == []
    assert visitor.closed == 4500
