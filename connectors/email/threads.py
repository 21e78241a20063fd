"""Which conversation a mail belongs to: what we have signed says it (signed.py), else the first id of the mail's chain.

The subject decides nothing: anybody can know it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.email.mail import Mail
from connectors.email.signed import AgentTag, read_agent_tag, read_message_id, read_reply_address


@dataclass(frozen=True)
class Thread:
    """Where a mail goes: one of our conversations, or that which began with somebody's message id `root`.

    Exactly one of the two is not empty. A `conversation` was signed by us; a `root` proves nothing, anybody can name
    it: it counts only among the mail of one sender.
    """

    conversation: str = ""
    root: str = ""


def thread_of(mail: Mail, key: bytes, ours: Iterable[str]) -> Thread:
    """Where `mail` goes. What is signed comes first: a reply address among its recipients, then our ids from the last
    to the first, then the mail that a bounce returns. Only then what anybody can write: the first mail of the chain.
    """
    for recipient in mail.recipients:
        if conversation := read_reply_address(recipient.address, key, ours):
            return Thread(conversation)
    returned = (mail.bounce.message_id,) if mail.bounce else ()
    for one in (*reversed(mail.in_reply_to), *reversed(mail.references), *returned):
        if (our_id := read_message_id(one, key)) and not our_id.tag:
            return Thread(our_id.conversation)
    return Thread(root=(*mail.references, *mail.in_reply_to, mail.message_id)[0])


def to_agent(mail: Mail, key: bytes, ours: Iterable[str]) -> AgentTag | None:
    """What `mail` answers of ours to an agent; None: nothing. A reply address comes before message ids."""
    bases = {one.lower() for one in ours}
    tags = []
    for recipient in mail.recipients:
        local, _, domain = recipient.address.lower().rpartition("@")
        base, _, tag = local.partition("+")
        if f"{base}@{domain}" in bases:
            tags.append(tag)
    our_ids = [read_message_id(one, key) for one in (*reversed(mail.in_reply_to), *reversed(mail.references))]
    tags += [our_id.tag for our_id in our_ids if our_id]
    return next(filter(None, (read_agent_tag(tag, mail.sender.address, key) for tag in tags)), None)
