"""The kinds of file that chat carries: a closed list, so that nothing is shown in a page that was not meant to be."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A media type and the file extensions that agree with it, the usual one first."""

    type: str
    extensions: tuple[str, ...]

    @property
    def is_shown(self) -> bool:
        """Whether a browser may show it where it stands; everything else, SVG too, is only ever downloaded."""
        return self.type.startswith(("image/", "audio/", "video/")) and self.type != SVG


JPEG, PNG, GIF, WEBP, BMP, TIFF = "image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff"
HEIC, AVIF, SVG = "image/heic", "image/avif", "image/svg+xml"
AMR, AMR_WB, SILK, MP3, AAC, M4A = "audio/amr", "audio/amr-wb", "audio/silk", "audio/mpeg", "audio/aac", "audio/mp4"
OGG, WAV, FLAC, WEBM_AUDIO = "audio/ogg", "audio/wav", "audio/flac", "audio/webm"
MP4, MOV, GP3, WEBM, MKV = "video/mp4", "video/quicktime", "video/3gpp", "video/webm", "video/x-matroska"
AVI = "video/x-msvideo"
PDF, RTF, OLE, OFD = "application/pdf", "application/rtf", "application/x-ole-storage", "application/ofd"
_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX = f"{_OOXML}wordprocessingml.document", f"{_OOXML}spreadsheetml.sheet"
PPTX = f"{_OOXML}presentationml.presentation"
_ODF = "application/vnd.oasis.opendocument."
ODT, ODS, ODP = f"{_ODF}text", f"{_ODF}spreadsheet", f"{_ODF}presentation"
ZIP, RAR, SEVEN_ZIP = "application/zip", "application/vnd.rar", "application/x-7z-compressed"
TEXT, XML, HTML, UNKNOWN = "text/plain", "text/xml", "text/html", "application/octet-stream"

KINDS = {
    kind.type: kind
    for kind in (
        Kind(JPEG, ("jpg", "jpeg", "jpe", "jfif")),
        Kind(PNG, ("png", "apng")),
        Kind(GIF, ("gif",)),
        Kind(WEBP, ("webp",)),
        Kind(BMP, ("bmp",)),
        Kind(TIFF, ("tiff", "tif")),
        Kind(HEIC, ("heic", "heif")),
        Kind(AVIF, ("avif",)),
        Kind(AMR, ("amr",)),
        Kind(AMR_WB, ("awb", "amr")),
        Kind(SILK, ("silk", "slk")),
        Kind(MP3, ("mp3",)),
        Kind(AAC, ("aac",)),
        Kind(M4A, ("m4a", "m4b")),
        Kind(OGG, ("ogg", "oga", "opus")),
        Kind(WAV, ("wav",)),
        Kind(FLAC, ("flac",)),
        Kind(WEBM_AUDIO, ("weba", "webm")),
        Kind(MP4, ("mp4", "m4v")),
        Kind(MOV, ("mov", "qt")),
        Kind(GP3, ("3gp", "3g2")),
        Kind(WEBM, ("webm",)),
        Kind(MKV, ("mkv",)),
        Kind(AVI, ("avi",)),
        Kind(PDF, ("pdf",)),
        Kind(RTF, ("rtf",)),
        Kind(OLE, ("doc", "xls", "ppt", "wps", "et", "dps")),  # which of them stands too deep in the file
        Kind(DOCX, ("docx",)),
        Kind(XLSX, ("xlsx",)),
        Kind(PPTX, ("pptx",)),
        Kind(ODT, ("odt",)),
        Kind(ODS, ("ods",)),
        Kind(ODP, ("odp",)),
        Kind(OFD, ("ofd",)),
        Kind(ZIP, ("zip",)),
        Kind(RAR, ("rar",)),
        Kind(SEVEN_ZIP, ("7z",)),
        Kind(TEXT, ("txt", "csv", "tsv", "log", "md", "json", "yaml", "yml", "ini", "srt", "vcf", "ics")),
        Kind(XML, ("xml",)),
        Kind(HTML, ("html", "htm")),
        Kind(SVG, ("svg",)),
        Kind(UNKNOWN, ("bin",)),
    )
}
"""By media type."""

TAKEN = tuple(type for type in KINDS if type not in {HTML, SVG, UNKNOWN})
"""What a hub takes that was told nothing else: no pages, which are made to deceive, and nothing unknown."""
