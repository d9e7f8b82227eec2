"""Files built byte by byte, as no program that means well would write them."""

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

MIB = 2**20
ESCAPED = "qzv-escaped"  # what archives try to write beside their folder


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes], packing: str = "gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packing}") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def links() -> bytes:
    """A link that leads out of the archive's folder, and a file that goes through it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, target in (("out", tarfile.SYMTYPE, "../.."), ("hard.txt", tarfile.LNKTYPE, "/etc/hostname")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        info = tarfile.TarInfo(f"out/{ESCAPED}.txt")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    return out.getvalue()


def bomb(path: Path, member: str, head: bytes, size: int) -> None:
    """A ZIP whose `member` unpacks to `size` bytes of blanks after its head."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        with archive.open(member, "w", force_zip64=True) as out:
            out.write(head)
            for _ in range(size // MIB):
                out.write(b" " * MIB)


def gzip_bomb(path: Path, size: int) -> None:
    head = tarfile.TarInfo("a.txt")
    head.size = size
    with gzip.open(path, "wb") as out:
        out.write(head.tobuf())
        for _ in range(size // MIB):
            out.write(b"0" * MIB)
        out.write(bytes(1024))


def laughs(root: str) -> bytes:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY l0 "laughter ">{lines}]>'.encode()


def outside(secret: Path, root: str) -> bytes:
    return f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY o SYSTEM "file://{secret}">]>'.encode()


def docx(document: bytes) -> bytes:
    """A Word file in the form of python-docx's own empty one, with this as its document."""
    from docx import Document

    return _with(saved(Document().save), "word/document.xml", document)


def xlsx(sheet: bytes) -> bytes:
    from openpyxl import Workbook

    return _with(saved(Workbook().save), "xl/worksheets/sheet1.xml", sheet)


def _with(archive: bytes, member: str, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        return zipped({name: data if name == member else whole.read(name) for name in whole.namelist()})


def pdf(objects: list[str | bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; bytes are a stream's content, packed."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        if isinstance(body, bytes):
            packed = zlib.compress(body, 9)
            body = b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed) + packed + b"\nendstream"
        else:
            body = body.encode()
        out += b"%d 0 obj\n" % n + body + b"\nendobj\n"
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % p for p in places)
    return bytes(out) + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, xref)
