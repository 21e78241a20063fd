"""Each answer of an SMTP server has one of four outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.answers import verdict
from hub.contract import Refused, Retry, Sent, Unknown


@pytest.mark.parametrize(("code", "said"), [(250, "2.0.0 Ok: queued as 4B0D"), (250, ""), (251, "will forward")])
def test_a_mail_that_was_taken_is_sent(code: int, said: str) -> None:
    assert verdict(code, said) == Sent()


@pytest.mark.parametrize(
    ("code", "said", "after_s"),
    [
        (421, "4.7.0 Try again later", 600),
        (421, "bye", 60),
        (450, "4.2.0 Greylisted", 600),
        (450, "greylisted", 300),
        (451, "local error", 300),
        (452, "4.2.2 Mailbox full", 3600),
        (452, "4.3.1 Insufficient system storage", 1800),
        (432, "a code that nobody knows", 300),
        (535, "5.7.8 Authentication failed", 600),
        (530, "5.7.0 Must issue STARTTLS", 600),
        (454, "4.7.0 Temporary authentication failure", 600),
    ],
)
def test_what_may_pass_later_is_tried_later(code: int, said: str, after_s: int) -> None:
    found = verdict(code, said)
    assert isinstance(found, Retry)
    assert found.after_s == after_s
    assert said in found.because


@pytest.mark.parametrize(
    ("code", "said", "unreachable"),
    [
        (550, "5.1.1 <a@example.cn>: User unknown", True),
        (550, "5.1.10 Recipient not found", True),
        (550, " 5.4.4 Domain not found", True),
        (550, "User not found: a@example.cn", True),
        (550, "Mailbox not found. https://example.cn/help", True),
        (553, "No such user here", True),
        (552, "5.2.2 Mailbox full", False),
        (552, "5.3.4 Message too big", False),
        (554, "5.7.1 Spam, unknown user agent", False),
        (554, "DT:SPM", False),
        (550, "Mail content denied", False),
        (550, "5.99.99 a status that nobody knows", False),
        (501, "", False),
        (599, "a code that nobody knows", False),
    ],
)
def test_what_is_refused_says_whether_anybody_is_there(code: int, said: str, unreachable: bool) -> None:
    found = verdict(code, said)
    assert isinstance(found, Refused)
    assert found.unreachable is unreachable
    assert said.strip() in found.because


@pytest.mark.parametrize("code", [-1, 0, 100, 354, 600])
def test_what_is_no_final_answer_is_unknown(code: int) -> None:
    assert verdict(code, "x") == Unknown(f"the mail server answered {code} x")


def test_a_long_answer_is_cut_and_on_one_line() -> None:
    found = verdict(550, "5.1.1 a\r\nb " + "x" * 1000)
    assert isinstance(found, Refused)
    assert len(found.because) < 300
    assert "\n" not in found.because


@given(st.integers(-10, 1000), st.text(max_size=50))
def test_any_answer_has_an_outcome(code: int, said: str) -> None:
    assert isinstance(verdict(code, said), Sent | Retry | Refused | Unknown)


@pytest.mark.parametrize(("code", "everyone"), [(535, True), (538, True), (451, False), (454, False)])
def test_what_the_hub_is_set_up_wrong_for_concerns_everyone(code: int, everyone: bool) -> None:
    found = verdict(code, "")
    assert isinstance(found, Retry)
    assert found.everyone is everyone
