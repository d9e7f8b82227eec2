"""Archives: what a reader takes comes out, under numbers; hostile names, links and bombs write nothing and hide nothing else."""

import bz2
import io
import lzma
import re
import struct
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.archives import Limits, Unpacked, is_archive, unpack

MIB = 2**20


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def pack_zip(path: Path, *entries: tuple[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def pack_tar(path: Path, *entries: tuple[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def labels(unpacked: Unpacked) -> list[str]:
    return [label for label, _ in unpacked.files]


def raw_name_zip(path: Path, raw: bytes, extra: bytes = b"") -> Path:
    """A ZIP of one entry whose name is these bytes, without the flag that says UTF-8."""
    info = zipfile.ZipInfo("x" * len(raw))
    info.extra = extra
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"text")
    path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_every_kind_gives_its_readable_files_back_in_order(name: str, tmp_path: Path, out: Path) -> None:
    pack = pack_zip if name.endswith(".zip") else pack_tar
    big = bytes(range(256)) * 3000
    path = pack(
        tmp_path / name, ("m/b.txt", b"one"), ("a.PDF", big), ("c.exe", b"no"), ("m/", b""), ("m/b.docx", b"two")
    )
    assert is_archive(path)
    unpacked = unpack(path, out)
    assert labels(unpacked) == [f"{name}/m/b.txt", f"{name}/a.PDF", f"{name}/m/b.docx"] and not unpacked.refused
    assert [p.read_bytes() for _, p in unpacked.files] == [b"one", big, b"two"]
    assert sorted(p.name for p in out.iterdir()) == ["0001.txt", "0002.pdf", "0003.docx"]


def test_documents_that_are_zips_are_no_archives() -> None:
    assert not any(is_archive(Path(name)) for name in ("a.docx", "a.xlsx", "a.epub", "zip", "a.zip.pdf"))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_names_without_the_flag(encoding: str, tmp_path: Path, out: Path) -> None:
    name = "压缩机维修手册（朱镕）.pdf"
    assert labels(unpack(raw_name_zip(tmp_path / "a.zip", name.encode(encoding)), out)) == [f"a.zip/{name}"]


def test_western_names_without_the_flag(tmp_path: Path, out: Path) -> None:
    name = "Größe für Öl.pdf"
    assert labels(unpack(raw_name_zip(tmp_path / "a.zip", name.encode("cp437")), out)) == [f"a.zip/{name}"]


def test_unicode_field_counts_if_it_is_of_this_very_name(tmp_path: Path, out: Path) -> None:
    raw = b"????.txt"
    for name, crc in (("真名.txt", zlib.crc32(raw)), ("假名.txt", 1)):
        body = b"\x01" + struct.pack("<I", crc) + name.encode()
        path = raw_name_zip(tmp_path / f"{crc}.zip", raw, struct.pack("<HH", 0x7075, len(body)) + body)
        expected = name if crc != 1 else "????.txt"
        assert labels(unpack(path, out))[0] == f"{crc}.zip/{expected}"
        for file in out.iterdir():
            file.unlink()


def test_gbk_names_in_a_tar(tmp_path: Path, out: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="gbk") as archive:
        archive.addfile(tarfile.TarInfo("合同.txt"), io.BytesIO())
    assert labels(unpack(tmp_path / "a.tar", out)) == ["a.tar/合同.txt"]


NAMES = ["../../a.txt", "/etc/a.txt", "C:\\Windows\\a.txt", "c:a.txt", "\\\\host\\share\\a.txt", "a/../../b.txt", "..\\..\\a.txt",
         "a\0b.txt", "\u202etxt.fdp.txt", "./a.txt", "a" * 500 + ".txt"]  # fmt: skip


@pytest.mark.parametrize("pack", [pack_zip, pack_tar])
def test_hostile_names_are_labels_alone(pack: Callable[..., Path], tmp_path: Path, out: Path) -> None:
    path = pack(tmp_path / ("a.zip" if pack is pack_zip else "a.tar"), *((name, b"x") for name in NAMES))
    before = set(tmp_path.rglob("*"))
    unpacked = unpack(path, out)
    assert len(unpacked.files) >= len(NAMES) - 1  # a NUL ends a name: `a`, which no reader takes
    assert set(tmp_path.rglob("*")) - before == {p for _, p in unpacked.files}
    for label in labels(unpacked):
        assert ".." not in label.split("/") and "\\" not in label and not re.search(r"[\0\u202e]|[A-Za-z]:", label)
        assert len(label) < 220


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(lambda s: s + ".txt"), max_size=6),
       st.sampled_from([pack_zip, pack_tar]))  # fmt: skip
def test_nothing_is_written_outside_the_folder_whatever_the_names(names: list[str], pack: Callable[..., Path]) -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "in", "out")
        folder.mkdir(parents=True)
        path = pack(Path(root, "in", "a.zip" if pack is pack_zip else "a.tar"), *((name, b"x") for name in names))
        unpacked = unpack(path, folder)
        written = {p for p in Path(root).rglob("*") if p.is_file()} - {path}
        assert written == {p for _, p in unpacked.files} and all(re.fullmatch(r"\d{4}\.txt", p.name) for p in written)
        found = labels(unpacked) + [label for label, _ in unpacked.refused]
        assert len(set(found)) == len(found)
        assert all(label.startswith(path.name) and ".." not in label.split("/") for label in found)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.integers(0, 500),
    st.sampled_from(["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"]),
)
def test_damaged_bytes_are_refused_and_never_raise(junk: bytes, at: int, name: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "out")
        folder.mkdir()
        path = (pack_zip if name == "a.zip" else pack_tar)(Path(root, name), ("a.txt", b"sound" * 9), ("b.txt", b"too"))
        data = path.read_bytes()
        path.write_bytes(data[:at] + junk + data[at + len(junk) :])
        unpacked = unpack(path, folder)
        assert {p.name for p in folder.iterdir()} == {p.name for _, p in unpacked.files}
        assert unpacked.files or unpacked.refused


def test_duplicates_keep_both(tmp_path: Path, out: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", ("a.txt", b"1"), ("a (2).txt", b"2"), ("a.txt", b"3"), ("./a.txt", b"4"))
    unpacked = unpack(path, out)
    assert labels(unpacked) == ["a.zip/a.txt", "a.zip/a (2).txt", "a.zip/a (3).txt", "a.zip/a (4).txt"]
    assert [p.read_bytes() for _, p in unpacked.files] == [b"1", b"2", b"3", b"4"]


def test_links_and_devices_are_refused(tmp_path: Path, out: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.txt")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    info = zipfile.ZipInfo("link.txt")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as zipped:
        zipped.writestr(info, "/etc/passwd")
    for name, count in (("a.tar", 4), ("b.zip", 1)):
        unpacked = unpack(tmp_path / name, out)
        assert not unpacked.files and len(unpacked.refused) == count
        assert all("link or a device" in reason for _, reason in unpacked.refused)
    assert not list(out.iterdir())


def test_rubbish_and_hidden_files_are_left_out(tmp_path: Path, out: Path) -> None:
    names = ["__MACOSX/._a.txt", ".DS_Store", "Thumbs.db", "a/.git/b.txt", "~$a.docx", "keep.txt"]
    unpacked = unpack(pack_zip(tmp_path / "a.zip", *((name, b"x") for name in names)), out)
    assert labels(unpacked) == ["a.zip/keep.txt"] and not unpacked.refused


def test_archives_inside_are_expanded_three_deep(tmp_path: Path, out: Path) -> None:
    data = b"deep"
    for name in ("4.txt", "3.tar.gz", "2.zip", "1.tar", "0.zip"):
        inner = (name, data)
        pack = (
            pack_tar
            if "tar"
            in (outer := {"4.txt": "3.tar.gz", "3.tar.gz": "2.zip", "2.zip": "1.tar", "1.tar": "0.zip"}.get(name, ""))
            else pack_zip
        )
        if outer:
            data = pack(tmp_path / outer, ("note.txt", b"n"), inner).read_bytes()
    unpacked = unpack(tmp_path / "1.tar", out)
    assert "1.tar/2.zip/3.tar.gz/4.txt" in labels(unpacked) and not unpacked.refused
    assert all(p.suffix == ".txt" for p in out.iterdir()), "the archives themselves do not stay"
    (tmp_path / "out2").mkdir()
    unpacked = unpack(tmp_path / "0.zip", tmp_path / "out2")
    assert [label for label, reason in unpacked.refused if "3 deep" in reason] == ["0.zip/1.tar/2.zip/3.tar.gz"]
    assert "0.zip/1.tar/2.zip/note.txt" in labels(unpacked)


def test_encrypted_and_strangely_packed_entries_are_refused_alone(tmp_path: Path, out: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", ("secret.txt", b"x"), ("open.txt", b"y"))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # of the first local header
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    unpacked = unpack(path, out)
    assert labels(unpacked) == ["a.zip/open.txt"]
    ((label, reason),) = unpacked.refused
    assert label == "a.zip/secret.txt" and reason.startswith("It is encrypted. Unpack it")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("l.txt", b"z" * 99, zipfile.ZIP_LZMA)
    assert "method" in unpack(tmp_path / "b.zip", out).refused[0][1]


def test_a_damaged_entry_costs_no_other(tmp_path: Path, out: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", ("a.txt", b"abcdefgh" * 50), ("b.zip", b"no zip"), ("c.txt", b"y"))
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF
    path.write_bytes(data)
    unpacked = unpack(path, out)
    assert labels(unpacked) == ["a.zip/c.txt"]
    assert [label for label, reason in unpacked.refused if "damaged" in reason] == ["a.zip/a.txt", "a.zip/b.zip"]
    assert [p.name for p in out.iterdir()] == [unpacked.files[0][1].name]


def test_a_tar_damaged_in_the_middle_is_not_taken_for_a_short_one(tmp_path: Path, out: Path) -> None:
    path = pack_tar(tmp_path / "a.tar", ("a.txt", b"x" * 600), ("b.txt", b"y"))
    data = bytearray(path.read_bytes())
    data[1536 + 148 : 1536 + 156] = b"garbage!"  # the second header's checksum
    path.write_bytes(data)
    unpacked = unpack(path, out)
    assert labels(unpacked) == ["a.tar/a.txt"] and "damaged" in unpacked.refused[0][1]


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_a_bomb_stops_early_and_in_little_memory(name: str, tmp_path: Path, out: Path) -> None:
    pack = pack_zip if name == "a.zip" else pack_tar
    path = pack(tmp_path / name, ("good.txt", b"good"), ("bomb.txt", bytes(40 * MIB)))
    tracemalloc.start()
    unpacked = unpack(path, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert labels(unpacked)[0] == f"{name}/good.txt" and "100 times its size" in unpacked.refused[0][1]
    assert [p.name for p in out.iterdir()] == ["0001.txt"] and peak < 16 * MIB


def test_a_short_text_may_shrink_a_lot(tmp_path: Path, out: Path) -> None:
    unpacked = unpack(pack_zip(tmp_path / "a.zip", ("a.txt", bytes(MIB))), out)
    assert len(unpacked.files) == 1


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.xz"])
def test_limits_of_the_whole_end_it_and_say_so(name: str, tmp_path: Path, out: Path) -> None:
    pack = pack_zip if name == "a.zip" else pack_tar
    path = pack(tmp_path / name, *((f"{n}.txt", b"%d" % n * 5000) for n in range(9)))
    unpacked = unpack(path, out, Limits(size=22_000))
    assert 0 < len(unpacked.files) < 9 and [label for label, _ in unpacked.refused] == [name]
    assert len(list(out.iterdir())) == len(unpacked.files)
    assert sum(p.stat().st_size for p in out.iterdir()) <= 22_000
    for file in out.iterdir():
        file.unlink()
    unpacked = unpack(path, out, Limits(entries=4))
    assert len(unpacked.files) == 4 and "more than 4 entries" in unpacked.refused[0][1]


def test_limits_count_archives_inside_too(tmp_path: Path, out: Path) -> None:
    inner = pack_zip(tmp_path / "i.zip", *((f"{n}.txt", b"x") for n in range(5))).read_bytes()
    path = pack_zip(tmp_path / "o.zip", *((f"{n}.zip", inner) for n in range(5)))
    unpacked = unpack(path, out, Limits(entries=12))
    assert len(unpacked.files) == 10 and any(label == "o.zip" for label, _ in unpacked.refused)


def test_a_list_of_names_without_end_is_not_read(tmp_path: Path, out: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.pax_headers = {"comment": "z" * (8 * MIB)}
        archive.addfile(info)
    long = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 9, 9, 8 * MIB, 0, 0)
    (tmp_path / "b.zip").write_bytes(b"PK\x01\x02" + bytes(8 * MIB - 4) + long)
    for name in ("a.tar.gz", "b.zip"):
        unpacked = unpack(tmp_path / name, out)
        assert not unpacked.files and re.search("list of names is too long|times its size", unpacked.refused[0][1])


def test_xz_that_wants_gigabytes_is_refused(tmp_path: Path, out: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**20}]
    data = bytearray(lzma.compress(pack_tar(tmp_path / "a.tar", ("a.txt", b"x")).read_bytes(), filters=filters))
    at = 12 + 2  # the block header's filter flags: id, size of properties, dictionary size
    assert data[at : at + 2] == b"\x21\x01"
    data[at + 2] = 40  # 4 GiB
    size = (data[12] + 1) * 4
    data[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(data[12 : 12 + size - 4]))
    (tmp_path / "b.tar.xz").write_bytes(data)
    unpacked = unpack(tmp_path / "b.tar.xz", out)
    assert not unpacked.files and "damaged" in unpacked.refused[0][1]


def test_streams_one_after_the_other_are_one_archive(tmp_path: Path, out: Path) -> None:
    plain = pack_tar(tmp_path / "a.tar", ("a.txt", b"x" * 5000), ("b.txt", b"y")).read_bytes()
    for name, compress in (("p.tar.bz2", bz2.compress), ("p.tar.xz", lzma.compress)):
        (tmp_path / name).write_bytes(compress(plain[:3000]) + compress(plain[3000:]))
        assert [p.read_bytes() for _, p in unpack(tmp_path / name, out).files] == [b"x" * 5000, b"y"]
        for file in out.iterdir():
            file.unlink()


def test_an_archive_of_nothing_readable_says_so(tmp_path: Path, out: Path) -> None:
    unpacked = unpack(pack_zip(tmp_path / "a.zip", ("a.exe", b"x")), out)
    assert unpacked.skipped == [("a.zip/a.exe", "No reader takes .exe.")] and not unpacked.refused
    unpacked = unpack(pack_zip(tmp_path / "a.zip"), out)
    assert unpacked.refused[0][0] == "a.zip" and "Nothing in the archive" in unpacked.refused[0][1]
