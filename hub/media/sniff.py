"""What a file is, by its content, and what it may then be called. What a sender says of either counts for nothing.

A table of our own instead of a library: whatever is not in the closed list of kinds.py must become text or unknown,
and a library's next version would move that line.
"""

import re
import unicodedata

from hub.media import kinds

HEAD_BYTES = 65_536
"""So much of a content's beginning is enough to know its kind."""
MAX_NAME_CHARS = 120
NAMELESS = "file"

_BEGINNINGS = (
    (b"\xff\xd8\xff", kinds.JPEG),
    (b"\x89PNG\r\n\x1a\n", kinds.PNG),
    (b"GIF87a", kinds.GIF),
    (b"GIF89a", kinds.GIF),
    (b"II*\x00", kinds.TIFF),
    (b"MM\x00*", kinds.TIFF),
    (b"#!AMR\n", kinds.AMR),  # RFC 4867 5.1
    (b"#!AMR-WB\n", kinds.AMR_WB),
    (b"#!SILK_V3", kinds.SILK),
    (b"\x02#!SILK_V3", kinds.SILK),  # as WeChat writes it
    (b"ID3", kinds.MP3),
    (b"OggS", kinds.OGG),
    (b"fLaC", kinds.FLAC),
    (b"%PDF-", kinds.PDF),
    (b"{\\rtf", kinds.RTF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", kinds.OLE),
    (b"Rar!\x1a\x07", kinds.RAR),
    (b"7z\xbc\xaf\x27\x1c", kinds.SEVEN_ZIP),
    (b"PK\x05\x06", kinds.ZIP),  # an empty one
)
_RIFF = {b"WEBP": kinds.WEBP, b"WAVE": kinds.WAV, b"AVI ": kinds.AVI}
_BRANDS = {
    b"heic": kinds.HEIC, b"heix": kinds.HEIC, b"hevc": kinds.HEIC, b"hevx": kinds.HEIC, b"mif1": kinds.HEIC,
    b"msf1": kinds.HEIC, b"avif": kinds.AVIF, b"avis": kinds.AVIF, b"M4A ": kinds.M4A, b"M4B ": kinds.M4A,
    b"qt  ": kinds.MOV,
}  # fmt: skip
"""The major brand of an ISO base media file (ISO/IEC 14496-12, 4.3); one that is not here is MP4's or 3GPP's."""
_ATOMS = frozenset({b"moov", b"mdat", b"wide"})
"""How a QuickTime file begins that has no brand."""
_ENTRIES = {b"word/": kinds.DOCX, b"xl/": kinds.XLSX, b"ppt/": kinds.PPTX, b"OFD.xml": kinds.OFD}
"""Of which document an entry of a zip is the mark. OFD (GB/T 33190) is what Chinese invoices come as."""
_ODF = re.compile(rb"mimetype(application/vnd\.oasis\.opendocument\.(?:text|spreadsheet|presentation))PK")
"""The first entry, stored without compression: OpenDocument 1.2, part 3, 3.3."""
_NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""https://mimesniff.spec.whatwg.org/#binary-data-byte."""
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|iframe|style|title|table|div|img|br|h1|a|p)[\s/>]")


def sniff(content: bytes) -> str:
    """The media type of a file that begins with `content` (HEAD_BYTES of it, or all): one of kinds.KINDS."""
    for beginning, type_ in _BEGINNINGS:
        if content.startswith(beginning):
            return type_
    return (
        _container(content)
        or _bare(content)
        or (kinds.PDF if b"%PDF-" in content[:1024] else "")  # what stands before it readers skip
        or _text(content)
    )


def clean_name(name: str, type_: str) -> str:
    """A name for people, from whatever a stranger called the file: never empty, at most MAX_NAME_CHARS on one line.

    It has no path and no control, invisible or direction-changing characters, and its extension is one of those that
    agree with `type_`, a type of kinds.KINDS: page.png becomes page.html, setup.exe becomes setup.exe.bin.
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    visible = "".join(" " if character.isspace() else character for character in base if not _is_hidden(character))
    plain = re.sub(r'[<>:"|?*]', "_", " ".join(visible.split())).rstrip(". ")
    stem, dot, extension = plain.rpartition(".")
    extensions = kinds.KINDS[type_].extensions
    if dot and extension.lower() in extensions:
        kept = extension
    else:
        kept = extensions[0]
        stem = stem if dot and extension.lower() in _EXTENSIONS else plain
    return f"{stem[: MAX_NAME_CHARS - len(kept) - 1].strip('. ') or NAMELESS}.{kept}"


_EXTENSIONS = frozenset(extension for kind in kinds.KINDS.values() for extension in kind.extensions)


def _is_hidden(character: str) -> bool:
    """Cc, Cf (bidi marks are among them), Cs, Co, Cn, Zl, Zp; white space is none: it becomes a blank."""
    category = unicodedata.category(character)
    return (category[0] == "C" or category in {"Zl", "Zp"}) and not (category == "Cc" and character.isspace())


def _container(content: bytes) -> str:
    """The type of what stands in one of the general containers; empty when it is none of them."""
    if content.startswith(b"RIFF"):
        return _RIFF.get(content[8:12], kinds.UNKNOWN)
    if content[4:8] == b"ftyp":
        brand = content[8:12]
        if brand in {b"mif1", b"msf1"} and b"avif" in content[16:64]:  # among the compatible ones
            return kinds.AVIF
        return _BRANDS.get(brand) or (kinds.GP3 if brand.startswith(b"3g") else kinds.MP4)
    if content[4:8] in _ATOMS:
        return kinds.MOV
    if content.startswith(b"\x1a\x45\xdf\xa3"):  # EBML
        if b"webm" not in content[:64]:
            return kinds.MKV if b"matroska" in content[:64] else kinds.UNKNOWN
        return kinds.WEBM if re.search(rb"V_(VP8|VP9|AV1)", content) else kinds.WEBM_AUDIO
    return _zipped(content) if content.startswith(b"PK\x03\x04") else ""


def _zipped(content: bytes) -> str:
    """What kind of zip, by the names of the first entries (APPNOTE 4.3.7: the name begins at byte 30)."""
    found = _ODF.search(content[:200])
    if found:
        return found[1].decode()
    at = 0
    while at >= 0:
        entry = content[at + 30 : at + 30 + int.from_bytes(content[at + 26 : at + 28], "little")]
        for mark, type_ in _ENTRIES.items():
            if entry.startswith(mark):
                return type_
        at = content.find(b"PK\x03\x04", at + 4)
    return kinds.ZIP


def _bare(content: bytes) -> str:
    """Formats that have only a few bits to be known by."""
    if content.startswith(b"BM") and content[6:10] == bytes(4) and len(content) > 26:
        return kinds.BMP
    if len(content) < 4 or content[0] != 0xFF:
        return ""
    if content[1] & 0xF6 == 0xF0:
        return kinds.AAC
    # MPEG-1, -2 or -2.5 layer III, with a bit rate and a sample rate that exist.
    is_mp3 = content[1] & 0xE6 == 0xE2 and content[1] & 0x18 != 0x08 and content[2] >> 4 != 15 and content[2] & 12 != 12
    return kinds.MP3 if is_mp3 else ""


def _text(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return kinds.TEXT  # UTF-16, whatever it says: it is only ever downloaded
    if _NOT_IN_TEXT.search(content):
        return kinds.UNKNOWN
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith(b"<"):
        return kinds.TEXT
    if b"<svg" in text:
        return kinds.SVG
    if text.startswith(b"<?xml"):  # with the elements of a page in it a browser runs it as one
        return kinds.HTML if b"<html" in text or b"www.w3.org/1999/xhtml" in text else kinds.XML
    return kinds.HTML if _PAGE.search(text) else kinds.TEXT
