"""Kinds of file by their content, and the names that they may have."""

import io
import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.media import kinds
from hub.media.sniff import MAX_NAME_CHARS, clean_name, sniff


def zipped(*names: str, stored: dict[str, str] | None = None) -> bytes:
    """A zip as Python writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (stored or {}).items():
            archive.writestr(name, text, zipfile.ZIP_STORED)
        for name in names:
            archive.writestr(name, f"<{name}/>" * 20)
    return file.getvalue()


def ftyp(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4) + body + b"\x00\x00\x00\x08mdat"


SAMPLES = {
    kinds.JPEG: [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\xff\xd8\xff\xe1\x00\x10Exif"],
    kinds.PNG: [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"],
    kinds.GIF: [b"GIF89a\x01\x00", b"GIF87a\x01\x00", b"GIF89a/*<script>alert(1)</script>*/"],
    kinds.WEBP: [b"RIFF\x24\x00\x00\x00WEBPVP8 "],
    kinds.BMP: [b"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28" + bytes(20)],
    kinds.TIFF: [b"II*\x00\x08\x00\x00\x00", b"MM\x00*\x00\x00\x00\x08"],
    kinds.HEIC: [ftyp(b"heic", b"mif1"), ftyp(b"mif1", b"heic")],
    kinds.AVIF: [ftyp(b"avif"), ftyp(b"mif1", b"avif")],
    kinds.AMR: [b"#!AMR\n\x3c\x91\x17"],
    kinds.AMR_WB: [b"#!AMR-WB\n\x04"],
    kinds.SILK: [b"#!SILK_V3\x0c\x00", b"\x02#!SILK_V3\x0c\x00"],
    kinds.MP3: [b"ID3\x04\x00", b"\xff\xfb\x90\x64\x00", b"\xff\xf3\x40\xc4"],
    kinds.AAC: [b"\xff\xf1\x50\x80", b"\xff\xf9\x50\x80"],
    kinds.M4A: [ftyp(b"M4A ", b"isom")],
    kinds.OGG: [b"OggS\x00\x02" + bytes(20) + b"OpusHead"],
    kinds.WAV: [b"RIFF\x24\x08\x00\x00WAVEfmt "],
    kinds.FLAC: [b"fLaC\x00\x00\x00\x22"],
    kinds.WEBM: [b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(200) + b"V_VP8"],
    kinds.WEBM_AUDIO: [b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(200) + b"A_OPUS"],
    kinds.MKV: [b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska"],
    kinds.MP4: [ftyp(b"isom", b"avc1"), ftyp(b"mp42")],
    kinds.MOV: [ftyp(b"qt  "), b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", b"\x00\x00\x04\x00moov"],
    kinds.GP3: [ftyp(b"3gp4"), ftyp(b"3g2a")],
    kinds.AVI: [b"RIFF\x24\x08\x00\x00AVI LIST"],
    kinds.PDF: [b"%PDF-1.7\n%\xe2\xe3", b"\x00\x00\r\n%PDF-1.4"],
    kinds.RTF: [b"{\\rtf1\\ansi"],
    kinds.OLE: [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)],
    kinds.DOCX: [zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml")],
    kinds.XLSX: [zipped("[Content_Types].xml", "docProps/app.xml", "xl/workbook.xml")],
    kinds.PPTX: [zipped("_rels/.rels", "ppt/presentation.xml")],
    kinds.OFD: [zipped("OFD.xml", "Doc_0/Document.xml")],
    kinds.ODT: [zipped("content.xml", stored={"mimetype": kinds.ODT})],
    kinds.ODS: [zipped("content.xml", stored={"mimetype": kinds.ODS})],
    kinds.ODP: [zipped("content.xml", stored={"mimetype": kinds.ODP})],
    kinds.ZIP: [zipped("photos/1.jpg", "sword/notes"), zipped(), zipped("AndroidManifest.xml")],
    kinds.RAR: [b"Rar!\x1a\x07\x01\x00", b"Rar!\x1a\x07\x00"],
    kinds.SEVEN_ZIP: [b"7z\xbc\xaf\x27\x1c\x00\x04"],
    kinds.TEXT: [
        b"", b"a", "订单号 8812".encode(), "订单号".encode("gb18030"), "订单号".encode("utf-16"), b"a,b\r\n1,2\r\n",
        b"#!/bin/sh\nrm -rf /", b"alert(1)", b"< 3 items",
    ],
    kinds.XML: [b"<?xml version='1.0'?><Invoice/>", b"\xef\xbb\xbf<?xml version='1.0'?><a>"],
    kinds.HTML: [
        b"<!DOCTYPE html><html>", b"\n\t <HTML>", b"\xef\xbb\xbf<script>alert(1)</script>",
        b"<!-- x --><body onload=a>", b"<?xml version='1.0'?><a><s:script xmlns:s='http://www.w3.org/1999/xhtml'/></a>",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", b"<img src=x onerror=alert(1)>",
    ],
    kinds.SVG: [b"<svg xmlns='http://www.w3.org/2000/svg'>", b"<?xml version='1.0'?><!DOCTYPE svg><SVG onload='a'>"],
    kinds.UNKNOWN: [b"MZ\x90\x00\x03", b"\x7fELF\x02\x01\x01\x00", b"\x00", b"RIFF\x00\x00\x00\x00RMID"],
}  # fmt: skip


@pytest.mark.parametrize(("type_", "content"), [(type_, each) for type_, all_ in SAMPLES.items() for each in all_])
def test_a_kind_is_known_by_its_content(type_: str, content: bytes) -> None:
    assert sniff(content) == type_


def test_there_is_a_sample_of_every_kind() -> None:
    assert SAMPLES.keys() == kinds.KINDS.keys()


@given(st.binary(max_size=200))
def test_any_bytes_are_of_some_kind(content: bytes) -> None:
    assert sniff(content) in kinds.KINDS


@given(st.sampled_from([each for all_ in SAMPLES.values() for each in all_]), st.integers(0, 80))
def test_a_file_that_is_cut_is_of_some_kind(content: bytes, end: int) -> None:
    assert sniff(content[:end]) in kinds.KINDS


def test_only_pictures_sound_and_films_are_shown() -> None:
    shown = {type_ for type_, kind in kinds.KINDS.items() if kind.is_shown}
    assert {kinds.PNG, kinds.HEIC, kinds.SILK, kinds.MOV} <= shown
    assert shown & {kinds.SVG, kinds.HTML, kinds.XML, kinds.TEXT, kinds.PDF, kinds.UNKNOWN} == set()


def test_pages_and_unknown_things_are_not_taken_without_being_asked_for() -> None:
    assert set(kinds.KINDS) - set(kinds.TAKEN) == {kinds.HTML, kinds.SVG, kinds.UNKNOWN}


@pytest.mark.parametrize(
    ("said", "type_", "name"),
    [
        ("合同.pdf", kinds.PDF, "合同.pdf"),
        ("IMG_1.JPEG", kinds.JPEG, "IMG_1.JPEG"),
        ("IMG_1.HEIC", kinds.JPEG, "IMG_1.jpg"),
        ("photo.png", kinds.HTML, "photo.html"),
        ("setup.exe", kinds.PNG, "setup.exe.png"),
        ("setup.exe", kinds.UNKNOWN, "setup.exe.bin"),
        ("install.sh", kinds.TEXT, "install.sh.txt"),
        ("orders.csv", kinds.TEXT, "orders.csv"),
        ("app.apk", kinds.ZIP, "app.apk.zip"),
        ("old.xls", kinds.OLE, "old.xls"),
        ("report v1.2", kinds.PDF, "report v1.2.pdf"),
        ("../../etc/passwd", kinds.TEXT, "passwd.txt"),
        ("C:\\Users\\a\\照片.png", kinds.PNG, "照片.png"),
        ("..", kinds.PNG, "file.png"),
        (".png", kinds.PNG, "file.png"),
        ("", kinds.MP4, "file.mp4"),
        ("/", kinds.MP4, "file.mp4"),
        ("a\r\nSet-Cookie: b.txt", kinds.TEXT, "a Set-Cookie_ b.txt"),
        ("photo\u202egnp.exe", kinds.PNG, "photognp.exe.png"),
        ("a\u200b\u2066b\x00.png", kinds.PNG, "ab.png"),
        ("\ud800.png", kinds.PNG, "file.png"),
        ('a"b<c>.png', kinds.PNG, "a_b_c_.png"),
        ("e\u0301.png", kinds.PNG, "\u00e9.png"),
        ("x" * 300 + ".docx", kinds.DOCX, "x" * 115 + ".docx"),
    ],
)
def test_a_name_is_made_fit_for_people(said: str, type_: str, name: str) -> None:
    assert clean_name(said, type_) == name


@given(st.text(max_size=300), st.sampled_from(sorted(kinds.KINDS)))
def test_any_name_is_made_fit(said: str, type_: str) -> None:
    name = clean_name(said, type_)
    assert 0 < len(name) <= MAX_NAME_CHARS
    assert name.rpartition(".")[0].strip(". ") != ""
    assert name.rpartition(".")[2].lower() in kinds.KINDS[type_].extensions
    assert not set(name) & set('/\\<>:"|?*')
    assert not [character for character in name if unicodedata.category(character)[0] in "CZ" and character != " "]
    assert clean_name(name, type_) == name
