"""Mail ↔ the hub's values. Pure.

Who wrote is whom From names; nobody has verified it. Where a conversation goes is decided by what we have signed
(signed.py), else by the first id of the mail's chain, which counts only among the mail of one sender.
"""

import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.email.bounces import Bounce
from connectors.email.compose import Attachment, base_subject, compose, is_address, reply_subject
from connectors.email.headers import Address
from connectors.email.mail import Mail, Unreadable, read_mail
from connectors.email.settings import EmailSettings
from connectors.email.signed import (
    AgentTag,
    agent_reply_address,
    agent_tag,
    message_id,
    read_message_id,
    reply_address,
)
from connectors.email.threads import thread_of, to_agent
from connectors.email.verified import vouched
from hub.contract import Delivery, File, Inbound, Parsed, Receipt

_SCRIPTS = {"ja": re.compile(r"[぀-ヿ]"), "ko": re.compile(r"[가-힯]"), "zh": re.compile(r"[㐀-鿿]")}
"""Japanese is written with Han characters too, so it is asked first."""


@dataclass(frozen=True)
class Reader:
    """What reading takes beside the mail: the settings and this channel's secret."""

    settings: EmailSettings
    key: bytes

    def parse(self, data: bytes, size: int, now_ms: int) -> Parsed:
        """What a mail of `size` bytes means, of which `data` is all or the beginning."""
        try:
            mail = read_mail(data, self.settings.ours, self.key)
        except Unreadable as error:
            return Parsed(unparsed=str(error))
        if mail.kind == "own":
            return Parsed(left_out="a mail of our own that came back")
        if mail.bounce is not None:
            return self._bounced(mail.bounce)
        if (answered := to_agent(mail, self.key, self.settings.ours)) is not None:
            return self._from_agent(mail, answered, size > len(data), now_ms)
        if mail.kind == "bulk" and self.settings.bulk == "drop":
            return Parsed(left_out="a newsletter (channels.email.bulk)")
        if not mail.sender.address:
            return Parsed(unparsed=f"there is no sender's address in {mail.sender.name!r}")
        return Parsed(inbounds=(self._inbound(mail, len(data), size, now_ms),))

    def _bounced(self, bounce: Bounce) -> Parsed:
        """A final failure is told to the conversation whose mail it was; what is only late, or arrived, to nobody."""
        if bounce.action != "failed":
            return Parsed(left_out="a report of no failure")
        ours = read_message_id(bounce.message_id, self.key)
        if ours is None:
            return Parsed(unparsed=f"a mail came back that is none of ours: {bounce.message_id or 'it has no id'}")
        whom, said = ", ".join(bounce.recipients), bounce.said or bounce.status
        because = " ".join(filter(None, ("the mail came back", whom and f"from {whom}", said and f"({said})")))
        return Parsed(receipts=(Receipt(ours.conversation, "failed", ours.number, because=because),))

    def _from_agent(self, mail: Mail, answered: AgentTag, cut: bool, now_ms: int) -> Parsed:
        """Their own words without the mail's subject, its notes and all that is quoted: they go to a visitor."""
        if not answered.signed:
            return Parsed(unparsed=f"it answers a mail to an agent, and is not signed for {mail.sender.address}")
        server = self.settings.verified_by
        if server and not vouched(mail.checked, server, mail.sender.address.rpartition("@")[2]):
            return Parsed(unparsed=f"{server} (verified_by) does not vouch for {mail.sender.address}")
        if mail.kind != "personal":
            return Parsed(left_out="a machine's answer to a mail for an agent")
        if cut:
            return Parsed(unparsed=f"an agent's mail is too large to be read whole ({mail.sender.address})")
        inbound = Inbound(
            identity=mail.sender.address.casefold(),
            outside_id=outside_id(mail),
            text=mail.own,
            sent_at_ms=_sent_ms(mail, now_ms),
            files=[File(file.name, file.type, file.data) for file in mail.files],
            conversation=answered.conversation,
            agent=True,
        )
        return Parsed(inbounds=(inbound,))

    def _inbound(self, mail: Mail, read: int, size: int, now_ms: int) -> Inbound:
        lines = [_text(mail), *(f"[{note}]" for note in mail.notes)]
        files = [File(file.name, file.type, file.data) for file in mail.files]
        if read < size:
            lines.append(f"[the mail has {size:,} bytes: only its beginning was read, its files are left out]")
            files = []
        return Inbound(
            identity=mail.sender.address.casefold(),
            outside_id=outside_id(mail),
            text="\n".join(filter(None, lines)),
            sent_at_ms=_sent_ms(mail, now_ms),
            files=files,
            account=self.settings.address.casefold(),
            address=self._answer_to(mail),
            name=mail.sender.name,
            language=_language(mail.subject + mail.visible),
            thread=(*mail.references, *mail.in_reply_to, mail.message_id)[0],
            title=base_subject(mail.subject),
            conversation=thread_of(mail, self.key, self.settings.ours).conversation,
            automatic=mail.kind != "personal",
        )

    def _answer_to(self, mail: Mail) -> str:
        """Where its sender wants answers: never at one of our own addresses."""
        ours = {address.casefold() for address in self.settings.ours}
        wanted = [one.address for one in mail.reply_to if is_address(one.address) and _plain(one.address) not in ours]
        return wanted[0] if wanted else mail.sender.address


def outside_id(mail: Mail) -> str:
    """The mail's Message-ID and, behind a blank, a digest of what it says.

    The same mail in two of our mailboxes differs in the fields of its way only, and has one id; two mails to which a
    broken mailer gave one Message-ID have two.
    """
    digest = hashlib.blake2b(digest_size=8)
    parts = [mail.sender.address.casefold(), mail.subject, str(mail.sent_at), mail.text]
    for part in [part.encode() for part in parts] + [file.data for file in mail.files]:
        digest.update(b"%d:" % len(part) + part)
    return f"{mail.message_id} {digest.hexdigest()}"


def _sent_ms(mail: Mail, now_ms: int) -> int:
    """By the sender's clock, but not in the future."""
    return min(int(mail.sent_at.timestamp() * 1000), now_ms) if mail.sent_at else now_ms


def _text(mail: Mail) -> str:
    """What its sender wrote; of the first mail of a thread with its subject, in which often all is said."""
    is_first = not (mail.references or mail.in_reply_to)
    subject = mail.subject if is_first or not mail.visible else ""
    said_below = subject in " ".join(mail.visible.split())  # a subject has single blanks only
    return "\n\n".join(filter(None, ("" if said_below else subject, mail.visible)))


def _language(text: str) -> str:
    """By its script; of others English is what most can read."""
    found = next((language for language, script in _SCRIPTS.items() if script.search(text)), "")
    return found or ("en" if any(character.isalpha() for character in text) else "")


def _plain(address: str) -> str:
    """An address without its tag."""
    local, _, domain = address.casefold().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


# --- out -----------------------------------------------------------------------------------------------------------


def id_of(delivery: Delivery, settings: EmailSettings, key: bytes) -> str:
    """The Message-ID of the mail that a delivery becomes: a repeat has the same."""
    if delivery.agent:
        return message_id(delivery.agent, delivery.number, settings.domain, key, _tag(delivery, key))
    return message_id(delivery.conversation, delivery.number, settings.domain, key)


def _tag(delivery: Delivery, key: bytes) -> str:
    return agent_tag(delivery.conversation, delivery.address, key)


def compose_answer(
    delivery: Delivery, settings: EmailSettings, key: bytes, date: datetime.datetime, attachments: Sequence[Attachment]
) -> bytes:
    """The mail that a delivery becomes. Raises ValueError for an address that mail cannot be sent to."""
    answered = delivery.in_reply_to.partition(" ")[0]
    return compose(
        sender=Address(settings.address, _from_name(delivery.by, settings.name)),
        to=[Address(delivery.address)],
        subject=reply_subject(delivery.title or settings.name),
        text=delivery.text,
        date=date,
        message_id=id_of(delivery, settings, key),
        reply_to=_reply_to(settings, delivery.conversation, key),
        in_reply_to=answered,
        references=list(dict.fromkeys(filter(None, (delivery.thread, answered)))),
        automatic=delivery.automatic,
        attachments=attachments,
    )


def compose_for_agent(
    delivery: Delivery, settings: EmailSettings, key: bytes, date: datetime.datetime, attachments: Sequence[Attachment]
) -> bytes:
    """The mail that a delivery to an agent becomes; all of one conversation are one thread. Raises ValueError."""
    tag = _tag(delivery, key)
    try:
        reply_to = agent_reply_address(settings.base, tag) if settings.plus_addressing else ""
    except ValueError:
        reply_to = ""
    thread = message_id(delivery.agent, 0, settings.domain, key, tag)  # of no mail: what all of the thread answer
    return compose(
        sender=Address(settings.address, settings.name),
        to=[Address(delivery.address)],
        subject=delivery.title,
        text=delivery.text,
        date=date,
        message_id=id_of(delivery, settings, key),
        reply_to=reply_to,
        in_reply_to=thread,
        references=[thread],
        automatic=True,
        attachments=attachments,
    )


def _reply_to(settings: EmailSettings, conversation: str, key: bytes) -> str:
    """A signed address; empty where there can be none, as with a long name of the channel: the Message-ID must do."""
    if not settings.plus_addressing:
        return ""
    try:
        return reply_address(settings.base, conversation, key)
    except ValueError:
        return ""


def _from_name(by: str, name: str) -> str:
    return f"{by} ({name})" if by and name else by or name
