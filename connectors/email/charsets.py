"""Bytes to text, whatever charset a mail declares, forgets or gets wrong.

A declared charset is read as the larger one that is really in use (encoding.spec.whatwg.org, section 4.2: gb2312 is
GB18030, ks_c_5601 is CP949). Where none is declared, UTF-8 is tried first: it does not fit other text by chance.
"""

import binascii
import codecs
import contextlib
import re
from encodings.aliases import aliases

_GUESSES = ("gb18030", "latin-1")
_LATIN = ("utf-8", "cp1252", "latin-1")  # often just what a mailer writes for "whatever the user typed"

_REALLY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("gb2312", "gbk", "x_gbk", "iso_gb2312", "gb_2312", "csgb2312", "cn_gb", "windows_936"), ("gb18030",)
    ),
    **dict.fromkeys(("hz", "hzgb2312"), ("hz", "gb18030")),
    **dict.fromkeys(("big5", "x_x_big5", "cn_big5", "csbig5"), ("cp950", "big5hkscs")),
    **dict.fromkeys(("euc_kr", "ks_c_5601_1989", "ksc_5601"), ("cp949",)),
    **dict.fromkeys(("iso2022_jp", "iso_2022_jp_ms", "cp50220", "cp50221"), ("iso2022_jp_ext",)),
    **dict.fromkeys(("shift_jis", "x_sjis", "windows_31j"), ("cp932",)),
    **dict.fromkeys(("latin_1", "cp1252"), _LATIN),
    "ascii": (),  # then there should be no byte above 127, and the declaration says nothing about those
    "iso_8859_8_i": ("iso8859_8",),
    "windows_874": ("cp874",),
    "unicode_1_1_utf_7": ("utf_7",),
}

# A name outside this set is not looked up: Python would try to import a module of that name, and remember it for ever.
_KNOWN = frozenset(aliases.values()) - {
    *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs"),
}

_UNWANTED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(rb"=\?([^\s?=]{1,60})\?([bBqQ])\?")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))


def _euro(error: UnicodeError) -> tuple[str, int]:
    """Windows writes € in GBK as the single byte 0x80; any other byte that does not fit stays an error."""
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] == 0x80:
        return "€", error.start + 1
    raise error


codecs.register_error("kefu.euro", _euro)


def decode(data: bytes, declared: str = "", hint: str = "") -> str:
    """`data` as text; never fails. What fits no charset becomes U+FFFD; control characters and NULs are taken out.

    `declared` is the charset its sender names. `hint` is one that is likely where none, or one that nobody knows, is
    declared: that of the body for a raw header.
    """
    charsets = _charsets(declared)
    if charsets:
        text = _first(data, charsets)
        if text is None:
            text = data.decode(charsets[0], "replace")
        # with a fifth of it unreadable the declaration was wrong; one such place may be where a text was cut
        if (unreadable := text.count("\ufffd")) <= 1 or unreadable * 5 <= len(text):
            return _clean(text)
    return _clean(_first(data, ("utf-8", *_charsets(hint), *_GUESSES)) or "")


def _first(data: bytes, charsets: tuple[str, ...]) -> str | None:
    for charset in charsets:
        with contextlib.suppress(UnicodeError):
            return data.decode(charset, "kefu.euro" if charset == "gb18030" else "strict")
    return None


def _charsets(name: str) -> tuple[str, ...]:
    """The codecs that `name` stands for, likeliest first; none when nobody knows it or it says nothing."""
    plain = name.strip(" \t\r\n\"'").lower().replace("-", "_").replace(" ", "_")
    codec = aliases.get(plain, plain)
    return _REALLY.get(codec, (codec,) if codec in _KNOWN else ())


def _clean(text: str) -> str:
    # lone surrogates come out of UTF-7, and no database takes them
    return _SURROGATE.sub("\ufffd", _UNWANTED.sub("", text)).replace("\x0c", "\n")


# --- header words --------------------------------------------------------------------------------------------------


def decode_words(raw: bytes, hint: str = "") -> str:
    """An unstructured header, or a piece of one, as a person reads it: RFC 2047 words and raw 8-bit text.

    More tolerant than the RFC: words inside quotes, without blanks around them or longer than 75 are decoded, and a
    character may be split over two words.
    """
    pieces: list[tuple[bytes, str]] = []
    at = 0
    while found := _WORD.search(raw, at):
        end = raw.find(b"?=", found.end())
        if end < 0:
            break
        between = raw[at : found.start()]
        charset = found[1].partition(b"*")[0].decode("latin-1")  # RFC 2231, section 5: =?utf-8*zh?...
        payload = _unpacked(found[2], raw[found.end() : end])
        if between.strip() or not pieces or not pieces[-1][1]:
            pieces += [(between, ""), (payload, charset)]
        elif pieces[-1][1].lower() == charset.lower():
            pieces[-1] = (pieces[-1][0] + payload, charset)
        else:
            pieces.append((payload, charset))
        at = end + 2
    pieces.append((raw[at:], ""))
    text = "".join(decode(data, charset, hint) for data, charset in pieces if data)
    return " ".join(text.split())


def _unpacked(encoding: bytes, payload: bytes) -> bytes:
    if encoding in b"bB":
        return unbase64(payload)[0]
    return binascii.a2b_qp(payload, header=True)


def unbase64(data: bytes) -> tuple[bytes, bool]:
    """The bytes, and whether all was in order; what is no base64 is skipped, and padding may stand in the middle."""
    clean = data.translate(None, _NOT_BASE64)
    pieces = [piece for piece in clean.split(b"=") if piece]
    whole = all(len(piece) % 4 != 1 for piece in pieces)
    kept = [piece[: len(piece) - (len(piece) % 4 == 1)] for piece in pieces]
    return b"".join(binascii.a2b_base64(piece + b"=" * (-len(piece) % 4)) for piece in kept), whole
