"""What an agent who takes over is shown, and the seqs that answer repeats: packed, and nothing is lost by it."""

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.conversation.backlog import LIMIT, Backlog
from hub.domain.conversation.state import WINDOW, Tab

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read(backlog: Backlog) -> list[tuple[int, str]]:
    return [(line.seq, line.text) for line in backlog.messages()]


@given(st.integers(LIMIT - 2, 2 * LIMIT), st.lists(TEXTS, min_size=1, max_size=5), st.sets(st.integers(1, 2 * LIMIT)))
def test_the_last_ones_stay_in_order_whatever_their_texts_hold(count: int, texts: list[str], dropped: set[int]) -> None:
    backlog, kept, skipped = Backlog(), list[tuple[int, str]](), 0
    for seq in range(1, count + 1):
        text = texts[seq % len(texts)]
        backlog.add(seq, text)
        kept.append((seq, text))
        if len(kept) > LIMIT:
            skipped += 1
            del kept[0]
        if seq in dropped:
            backlog.drop(seq)
            kept = [message for message in kept if message[0] != seq]
        assert (read(backlog), backlog.count, backlog.skipped) == (
            kept,
            len(kept),
            skipped,
        )


def test_a_line_feed_in_a_text_is_no_border() -> None:
    backlog = Backlog()
    for seq in range(LIMIT + 1):
        backlog.add(seq, "一\n二\r\n\u2028三")
    assert read(backlog) == [(seq, "一\n二\r\n\u2028三") for seq in range(1, LIMIT + 1)]


@given(st.integers(1, 2**53), st.integers(1, 9), st.integers(0, 2 * WINDOW))
def test_a_tab_knows_the_seqs_of_its_last_messages(first: int, step: int, count: int) -> None:
    tab, seqs = Tab(), list(range(first, first + step * count, step))
    for n, seq in enumerate(seqs, 1):
        tab.note(n, seq)
    known = [tab.seq_of(n) for n in range(1, len(seqs) + 1)]
    assert known == [0] * (len(seqs) - WINDOW) + seqs[-WINDOW:]
