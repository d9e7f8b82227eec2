"""Names inside archives, decoded and cleaned: labels to show, never paths on disk."""

import re
import struct
import unicodedata
import zipfile
import zlib

UTF8 = 0x800  # flag of a ZIP entry
UNICODE_PATH = 0x7075  # the extra field in which some programs put the name in UTF-8
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)  # the last ones turn text around
DRIVE = re.compile(r"[A-Za-z]:")
LONGEST = 200  # characters of one part of a label


def label_of(name: str) -> str:
    """What an archive calls an entry, with no root, no drive, no way up, and nothing that cannot be shown."""
    name = UNSAFE.sub("", unicodedata.normalize("NFC", name))
    parts = [" ".join(part.split()) for part in name.replace("\\", "/").split("/")]
    if DRIVE.match(parts[0]):
        parts[0] = parts[0][2:]
    return "/".join(
        p if len(p) <= LONGEST else f"{p[: LONGEST - 20]}…{p[-19:]}" for p in parts if p not in ("", ".", "..")
    )


def zip_name(info: zipfile.ZipInfo) -> str:
    """An entry's name: by its flag, by its Unicode field, else by what its bytes look like."""
    if info.flag_bits & UTF8:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437", "replace")
    return _unicode_path(info.extra, raw) or _decode(raw)


def tar_name(name: str) -> str:
    """An entry's name, of which tarfile has kept the bytes that are no UTF-8."""
    return _decode(name.encode("utf-8", "surrogateescape"))


def _decode(raw: bytes) -> str:
    """As UTF-8, as Chinese, else in the code page of the ZIP standard, in which every byte is a character."""
    for encoding in ("utf-8", "gb18030"):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Accents in pairs decode as rare characters: a Chinese name is mostly made of the common ones.
        wide = [c for c in name if c > "\x7f"]
        if encoding == "utf-8" or 2 * sum(1 for c in wide if c.encode("gb2312", "ignore")) > len(wide):
            return name
    return raw.decode("cp437")


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in the Unicode Path field, if it was written for the very name that stands in the header."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and len(body) > 5 and struct.unpack_from("<I", body, 1)[0] == zlib.crc32(raw):
            return body[5:].decode("utf-8", "replace")
    return ""
