"""The Range header (RFC 9110, 14): which bytes a client wants. Phones play no film without it."""

import re


class Unsatisfiable(Exception):
    """The content has none of the bytes that were asked for."""


def requested(header: str, size: int) -> range | None:
    """The one range of bytes that the header asks for, or None for all of them. Raises Unsatisfiable.

    What is no such header, or asks for several ranges, is answered with everything, as RFC 9110 14.2 allows.
    """
    found = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", header.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:  # the last so many bytes
        wanted = range(max(size - int(last), 0), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(int(last) + 1, size) if last else size)
    if not wanted:
        raise Unsatisfiable(f"the content has {size} bytes")
    return wanted
