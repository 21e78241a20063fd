"""What an SMTP server's answer means for a delivery.

Reply codes: RFC 5321, 4.2. Enhanced status codes: RFC 3463 and IANA's "SMTP Enhanced Status Codes".
"""

import re

from hub.contract import Refused, Retry, Sent, Unknown, Verdict

_ENHANCED = re.compile(r"[\s-]*([245])\.(\d{1,3})\.(\d{1,3})(?!\d)")
_NOBODY = re.compile(
    r"user (?:unknown|not found|doesn't exist)|no such user|unknown (?:user|recipient)|invalid (?:user|recipient)"
    r"|(?:mailbox|account|recipient|address) (?:not found|unavailable|unknown|does not exist|disabled|is disabled)",
    re.IGNORECASE,
)

# By enhanced status without its class (1.1 of 5.1.1), which says no more than the reply code's first digit.
# Seconds to wait when the class is 4; whether nobody is there when it is 5; the sentence that an agent reads.
_BY_STATUS: dict[str, tuple[int, bool, str]] = {
    "1.0": (600, True, "there is a fault in the address"),
    "1.1": (600, True, "nobody has this address"),
    "1.2": (600, True, "the address's domain does not exist"),
    "1.3": (600, True, "the address is not written as one"),
    "1.6": (600, True, "the mailbox has moved, and not left its new address"),
    "1.10": (600, True, "the address's domain takes no mail"),
    "2.0": (600, False, "something is wrong with the mailbox"),
    "2.1": (3600, True, "the mailbox is disabled"),
    "2.2": (3600, False, "the mailbox is full"),
    "2.3": (600, False, "the mail is larger than the mailbox allows"),
    "3.1": (1800, False, "the mail server is full"),
    "3.2": (600, False, "the mail server is closed just now"),
    "3.4": (600, False, "the mail is larger than the server takes"),
    "4.1": (600, False, "the mail server does not answer"),
    "4.4": (600, True, "no way leads to the address's domain"),
    "4.5": (600, False, "the mail server is overloaded"),
    "4.6": (600, False, "mail servers send this mail in a circle"),
    "4.7": (600, False, "mail servers have tried for too long"),
    "7.0": (600, False, "the server's policy forbids it"),
    "7.1": (600, False, "the server takes this mail for unwanted"),
    "7.8": (600, False, "the server refuses the user or the authorisation code: check channels.email"),
    "7.26": (3600, False, "the sender's domain does not prove itself (SPF, DKIM): set up its DNS entries"),
    "7.28": (900, False, "too much mail from this sender"),
}

# Where the enhanced status says nothing.
_BY_CODE: dict[int, tuple[int, str]] = {
    421: (60, "the mail server is closing the connection"),
    450: (300, "the mailbox is busy, or the server wants to see whether we come again (greylisting)"),
    451: (300, "the mail server has an error of its own"),
    452: (900, "the mail server has no room just now"),
    454: (600, "the mail server cannot check the user just now"),
}
# The hub's own set-up: every mail would fail, and goes out when a person has put it right.
_SET_UP = {
    530: "the mail server wants a user: set channels.email",
    534: "the mail server wants another way to sign in: an authorisation code, or OAuth",
    535: "the mail server refuses the user or the authorisation code: check channels.email",
    538: "the mail server wants encryption to sign in: check channels.email",
}
_SET_UP_AFTER_S = 600


def verdict(code: int, said: str) -> Verdict:
    """What the reply `code` with the text `said` means for the mail. A status unknown to the table counts by its class.

    Not for a lost connection: before the end of DATA that is a Retry, after it Unknown.
    """
    words = " ".join(said.split())[:200]
    if 200 <= code <= 299:
        return Sent()
    if code in _SET_UP:
        return Retry(f"{_SET_UP[code]} ({code} {words})", _SET_UP_AFTER_S, everyone=True)
    found = _ENHANCED.match(said)
    after_s, nobody, because = _BY_STATUS.get(f"{int(found[2])}.{int(found[3])}" if found else "", (0, False, ""))
    if 400 <= code <= 499:
        usual_s, usually = _BY_CODE.get(code, (300, "the mail server cannot take it just now"))
        return Retry(f"{because or usually} ({code} {words})", after_s or usual_s)
    if 500 <= code <= 599:
        nobody = nobody or (not because and _NOBODY.search(words) is not None)
        return Refused(f"{because or 'the mail server refuses it'} ({code} {words})", nobody)
    return Unknown(f"the mail server answered {code} {words}")
