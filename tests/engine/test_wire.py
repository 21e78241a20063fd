"""What workers say to each other: read back as it was, and refused when a newer worker says it."""

import msgspec
import pytest

from hub.domain.commands import PostMessage
from hub.domain.messages import Profile
from hub.engine import wire
from hub.engine.calls import Page

ASK = wire.Submit("c1-x", PostMessage("t1", 1, "在吗", Profile(channel="h5")), None, "w0", 7)
PUSHED = wire.Pushed("event", "c1-x", "visitor", 3, b"{}")


def test_asks_pushes_and_pages_come_out_as_they_went_in() -> None:
    assert wire.decode_asks(wire.encode(wire.Asks(wire.SCHEMA, [ASK]))).asks == [ASK]
    assert wire.decode_pushes(wire.encode(wire.PushedList(wire.SCHEMA, [PUSHED]))).pushes == [PUSHED]
    page = Page("c1-x", 5, 3, (msgspec.Raw(b'{"t":"event"}'),), serving=("c2-y",))
    (back, nothing) = wire.decode_answers(wire.encode_answers([page, None]))
    assert isinstance(back, Page)
    assert [bytes(frame) for frame in back.frames] == [b'{"t":"event"}']
    assert (back.seq, back.serving, nothing) == (3, ("c2-y",), None)


@pytest.mark.parametrize(
    ("decode", "payload"),
    [
        (wire.decode_asks, wire.Asks(wire.SCHEMA + 1, [ASK])),
        (wire.decode_pushes, wire.PushedList(wire.SCHEMA + 1, [PUSHED])),
        (wire.decode_answers, wire.Answers(wire.SCHEMA + 1, [])),
    ],
)
def test_a_newer_worker_is_not_guessed_at(decode: object, payload: object) -> None:
    with pytest.raises(msgspec.ValidationError, match="speaks schema 2, this one knows 1"):
        decode(wire.encode(payload))  # type: ignore[operator]
