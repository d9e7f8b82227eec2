"""EPUB: the chapters in the order of the spine, each read as HTML; one without a heading takes its name from the contents."""

from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote
from zipfile import ZipFile

from lxml import etree

from corpora import UserError
from ingest.readers.html import META, write_html
from ingest.readers.text import decode
from ingest.readers.writer import Writer
from ingest.readers.zips import open_zip, read_xml

PAGES = ("application/xhtml+xml", "text/html")


def read(path: Path, writer: Writer) -> None:
    with open_zip(path, "EPUB") as archive:
        container = read_xml(archive, "META-INF/container.xml")
        root = container.find(".//{*}rootfile") if container is not None else None
        place = root.get("full-path", "") if root is not None else ""
        book = read_xml(archive, place)
        if book is None:
            raise UserError("The file is damaged: it is no EPUB.", "Get it again from where it came.")
        items = {i.get("id"): i for i in book.iterfind(".//{*}manifest/{*}item")}
        spine = [items[r.get("idref")] for r in book.iterfind(".//{*}spine/{*}itemref") if r.get("idref") in items]
        chapters = [i for i in spine if i.get("media-type") in PAGES and "nav" not in i.get("properties", "").split()]
        names = [_place(place, i.get("href", "")) for i in chapters]
        _refuse_locked(archive, names)
        titles = _titles(archive, place, items)
        for name in names:
            try:
                data = archive.read(name)
            except KeyError:
                writer.note("chapters missing from the file")
                continue
            declared = META.search(data[:4096])
            text = decode(data, declared[1].decode("ascii", "ignore") if declared else "") if data.strip() else ""
            if name in titles and not any(f"<h{n}" in text.lower() for n in (1, 2, 3)):
                writer.heading(1, titles[name])
            write_html(text, writer)
        title = book.findtext(".//{*}metadata/{http://purl.org/dc/elements/1.1/}title")
        writer.title = " ".join((title or "").split()) or path.stem


def _place(base: str, href: str) -> str:
    """The archive's name for what `href` points to from the entry `base`; names are only looked up, never written."""
    return normpath(join(dirname(base), unquote(href.partition("#")[0])))


def _refuse_locked(archive: ZipFile, names: list[str]) -> None:
    """Fonts may be scrambled; a book whose chapters are is under digital rights management."""
    locks = read_xml(archive, "META-INF/encryption.xml")
    if locks is not None and any(unquote(r.get("URI", "")) in names for r in locks.iter("{*}CipherReference")):
        raise UserError("The book is encrypted by its seller.", "Use a copy without digital rights management.")


def _titles(archive: ZipFile, place: str, items: dict[str | None, etree._Element]) -> dict[str, str]:
    """Chapter → its title, from the contents in the style of EPUB 3 or 2."""
    titles: dict[str, str] = {}
    for item in items.values():
        name = _place(place, item.get("href", ""))
        if "nav" in item.get("properties", "").split():
            links = [(a.get("href", ""), "".join(a.itertext())) for a in _tree(archive, name, "{*}a")]
        elif item.get("media-type") == "application/x-dtbncx+xml":
            links = []
            for point in _tree(archive, name, "{*}navPoint"):
                content = point.find("{*}content")
                links.append(
                    (content.get("src", "") if content is not None else "", point.findtext("{*}navLabel/{*}text") or "")
                )
        else:
            continue
        for href, title in links:
            if "#" not in href and title.strip():
                titles.setdefault(_place(name, href), " ".join(title.split()))
    return titles


def _tree(archive: ZipFile, name: str, tag: str) -> list[etree._Element]:
    try:
        root = read_xml(archive, name)
    except etree.XMLSyntaxError:
        return []
    return list(root.iter(tag)) if root is not None else []
