"""What we sign names its conversation, and nobody can choose it who was not written to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.signed import (
    AgentTag,
    OurId,
    agent_tag,
    message_id,
    read_agent_tag,
    read_message_id,
    read_reply_address,
    reply_address,
)

KEY, OTHER_KEY = b"a key of our own", b"a guessed key"
OURS = ["kefu@example.com"]
CONVERSATION = "c31-k3v9abcdefghijklmnopqrstuv"  # as long as they are


def test_a_reply_address_names_its_conversation() -> None:
    address = reply_address("kefu@example.com", CONVERSATION, KEY)
    assert address.startswith(f"kefu+{CONVERSATION}.")
    assert address.endswith("@example.com")
    assert read_reply_address(address, KEY, OURS) == CONVERSATION


def test_what_mail_servers_do_to_the_case_does_no_harm() -> None:
    address = reply_address("Kefu@example.com", "c7-k3v9", KEY)
    for changed in (address.lower(), address.upper(), address.title()):
        assert read_reply_address(changed, KEY, OURS) == "c7-k3v9"
    assert read_message_id(message_id("c7-k3v9", 57, "example.com", KEY).upper(), KEY) == OurId("c7-k3v9", 57)


def test_a_channel_may_have_a_name_of_two_words() -> None:
    conversation = "p7-sales_mail-k3v9"
    assert read_reply_address(reply_address("kefu@example.com", conversation, KEY), KEY, OURS) == conversation
    assert read_message_id(message_id(conversation, 1, "example.com", KEY), KEY) == OurId(conversation, 1)


def test_a_reply_address_that_was_not_signed_here_names_none() -> None:
    address = reply_address("kefu@example.com", "c7-k3v9", KEY)
    assert read_reply_address(address, OTHER_KEY, OURS) is None
    assert read_reply_address(address.replace("k3v9", "k3va"), KEY, OURS) is None
    assert read_reply_address(address, KEY, ["other@example.com"]) is None
    assert read_reply_address(address.replace("example.com", "example.org"), KEY, OURS) is None


@pytest.mark.parametrize(
    "address", ["", "@", "kefu@example.com", "kefu+c7-k3v9@example.com", "kefu+c7-k3v9.@example.com"]
)
def test_what_is_no_reply_address_names_none(address: str) -> None:
    assert read_reply_address(address, KEY, OURS) is None


def test_the_signature_of_an_id_is_not_good_for_an_address() -> None:
    mac = message_id("c7-k3v9", 1, "example.com", KEY).split(".")[2].partition("@")[0]
    assert read_reply_address(f"kefu+c7-k3v9.{mac}@example.com", KEY, OURS) is None
    assert read_reply_address(f"kefu+c7-k3v9.1.{mac}@example.com", KEY, OURS) is None


def test_a_message_id_names_its_conversation_and_number() -> None:
    assert read_message_id(message_id(CONVERSATION, 57, "example.com", KEY), KEY) == OurId(CONVERSATION, 57)
    assert read_message_id(message_id("c7-k3v9", 57, "example.com", KEY).replace(".57.", ".58."), KEY) is None
    assert read_message_id(message_id("c7-k3v9", 57, "example.com", KEY), OTHER_KEY) is None
    assert read_message_id("<a@b>", KEY) is None


@pytest.mark.parametrize("conversation", ["", "C7-k3v9", "c7.k3v9", "c7+k3v9", "c7 k3v9", "c7-客", "c7@x", "c" * 81])
def test_an_id_that_would_not_survive_the_way_is_refused(conversation: str) -> None:
    with pytest.raises(ValueError, match="only a-z, 0-9, - and _ survive"):
        reply_address("kefu@example.com", conversation, KEY)
    with pytest.raises(ValueError, match="only a-z, 0-9, - and _ survive"):
        message_id(conversation, 1, "example.com", KEY)


@pytest.mark.parametrize("conversation", [CONVERSATION, ""])
def test_a_tag_names_its_conversation_and_is_good_for_one_agent(conversation: str) -> None:
    tag = agent_tag(conversation, "Wang@example.com", KEY)
    assert read_agent_tag(tag, "wang@example.com", KEY) == AgentTag(conversation, signed=True)
    assert read_agent_tag(tag, "li@example.com", KEY) == AgentTag(conversation, signed=False)
    assert read_agent_tag(tag, "wang@example.com", OTHER_KEY) == AgentTag(conversation, signed=False)


@pytest.mark.parametrize("conversation", ["-k3v9", "_", "c" * 81, "c7.k3v9", "c7-客"])
def test_a_tag_about_what_cannot_be_a_conversation_is_none(conversation: str) -> None:
    assert read_agent_tag(f"a.{conversation}.{'a' * 16}", "wang@example.com", KEY) is None


def test_an_address_too_long_for_mail_servers_is_refused() -> None:
    reply_address("k" * 16 + "@example.com", CONVERSATION, KEY)
    with pytest.raises(ValueError, match="longer than the 64 octets"):
        reply_address("k" * 17 + "@example.com", CONVERSATION, KEY)


@pytest.mark.parametrize("base", ["kefu", "@example.com", "kefu@", ""])
def test_a_base_that_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="no mail address"):
        reply_address(base, "c7-k3v9", KEY)


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(ValueError, match="set one"):
        reply_address("kefu@example.com", "c7-k3v9", b"")


@given(st.text(max_size=80))
def test_any_text_may_be_asked_about(text: str) -> None:
    assert read_reply_address(text, KEY, OURS) is None
    assert read_message_id(text, KEY) is None
    assert read_agent_tag(text, "wang@example.com", KEY) is None
