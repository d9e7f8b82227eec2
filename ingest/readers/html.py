"""HTML: hidden parts dropped, the rest turned to Markdown by markdownify and read as that."""

from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

from ingest.readers.markdown import write_markdown
from ingest.readers.text import decode
from ingest.readers.writer import Writer

SILENT = ["script", "style", "noscript", "template", "nav", "iframe", "svg", "img"]


def read(path: Path, writer: Writer) -> None:
    write_html(decode(path.read_bytes()), writer)


def write_html(text: str, writer: Writer) -> None:
    """Append the blocks of a page, or of a piece of one."""
    soup = BeautifulSoup(text, "lxml")
    for tag in soup.find_all(SILENT) + soup.select(
        '[hidden], [aria-hidden="true"], [style*="display:none"], [style*="display: none"]'
    ):
        tag.decompose()
    if soup.title and soup.title.string:
        writer.title = soup.title.string.strip()
    body = soup.body or soup
    write_markdown(_Converter(heading_style="ATX").convert_soup(body), writer)


class _Converter(MarkdownConverter):
    """Text that looks like a tag (`List<String>`) stays text, for the Markdown is read with its HTML."""

    def escape(self, text: str, parent_tags: Any = None) -> str:
        return str(super().escape(text, parent_tags)).replace("&", "&amp;").replace("<", "&lt;")
