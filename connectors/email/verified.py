"""Whether the server that took a mail in vouches for its From: Authentication-Results (RFC 8601)."""

import re
from collections.abc import Iterable

_LONGEST = 2000
"""Characters of a field that are looked at: comments may be nested, and a stranger may have written it."""
_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"\s*dmarc\s*=\s*(\w+)")
_FROM = re.compile(r'\sheader\.from\s*=\s*"?([^\s";]+)')


def vouched(fields: Iterable[str], server: str, domain: str) -> bool:
    """Whether `server` says that DMARC passed for a mail from `domain`. `fields` are in the mail's order.

    Only the topmost in its name that speaks of DMARC counts: what is below may be the sender's own words, for not every
    server takes out what others wrote in its name (section 5).
    """
    for field in fields:
        name, *results = _without_comments(field[:_LONGEST].casefold()).split(";")
        if name.split()[:1] != [server.casefold()]:
            continue
        for result in results:
            if verdict := _RESULT.match(result):
                of = _FROM.search(result)
                return verdict[1] == "pass" and of is not None and of[1] == domain.casefold()
    return False


def _without_comments(field: str) -> str:
    count = 1
    while count:
        field, count = _COMMENT.subn("", field)
    return field
