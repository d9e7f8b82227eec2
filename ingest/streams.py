"""The bytes of archives in bounded memory: what is unpacked is counted on the way, and no overlong list of names is read."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

BLOCK = 2**16
AT_ONCE = 4 * 2**20  # bytes that a list of names may take in memory; 10,000 entries need a quarter of it
XZ_MEMORY = 128 * 2**20  # xz -9 needs 65 MiB


class Excess(Exception):
    """A limit is passed; the message says which, as a sentence."""


class Sipped(io.BufferedReader):
    """A file of which no more than `AT_ONCE` bytes are taken at once: a ZIP's list of names is read in one piece."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1) -> bytes:
        wanted = AT_ONCE + 1 if size is None or size < 0 else min(size, AT_ONCE + 1)
        data = super().read(wanted)
        if len(data) > AT_ONCE:
            raise Excess("The archive's list of names is too long. Split it.")
        return data


class Metered(io.RawIOBase):
    """The bytes of a TAR, unpacked as they are asked for; it goes forwards alone.

    `count(size, out, packed)` is told of each piece: its size, the bytes given so far and those they were packed in.
    """

    def __init__(self, file: IO[bytes], count: Callable[[int, int, int], None]) -> None:
        self.last = b""  # what was last read: of a TAR that ends as it should, a block of zeros
        self._file, self._count = file, count
        self._at = 0
        magic = file.read(6)
        file.seek(0)
        self._source: Any = file
        if magic.startswith(b"\x1f\x8b"):
            self._source = gzip.GzipFile(fileobj=file)
        elif magic.startswith(b"BZh"):
            self._source = Inflated(file, bz2.BZ2Decompressor)
        elif magic == b"\xfd7zXZ\x00":
            self._source = Inflated(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._at:
            raise io.UnsupportedOperation("an archive is read forwards")
        if self._source is self._file:  # passing over costs nothing
            self._at = self._file.seek(offset)
        while self._at < offset and self.read(min(BLOCK, offset - self._at)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= AT_ONCE:  # a name, or what is said of an entry, of such a length is an attack
            raise Excess("The archive's list of names is too long. Split it.")
        pieces = []
        while size and (piece := self._source.read(min(BLOCK, size))):
            pieces.append(piece)
            size -= len(piece)
            self._at += len(piece)
            self._count(len(piece), self._at, self._at if self._source is self._file else self._file.tell())
        self.last = b"".join(pieces)
        return self.last


class Inflated:
    """What bzip2 or xz packed, several streams one after the other too, a block at a time in bounded memory."""

    def __init__(self, file: IO[bytes], make: Callable[[], Any]) -> None:
        self._file, self._make = file, make
        self._decoder = make()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end. Raises EOFError where the file is cut short."""
        while True:
            data = b""
            if self._decoder.eof:
                data = self._decoder.unused_data.lstrip(b"\0") or self._file.read(BLOCK).lstrip(b"\0")
                if not data:
                    return b""
                self._decoder = self._make()
            elif self._decoder.needs_input:
                data = self._file.read(BLOCK)
                if not data:
                    raise EOFError("the stream is cut short")
            piece: bytes = self._decoder.decompress(data, size)
            if piece:
                return piece
