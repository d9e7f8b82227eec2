"""PDF pages read a second, text and tables, in two processes, beside pdfplumber's text.  Run: python -m tests.bench.pdf"""

import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pdfplumber
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table

from ingest.readers import read
from tests.bench import report

FILES = 2  # of each kind, one for each process
WORDS = (
    "the pressure valve of pump is closed before oil filter housing opens while motor runs at low speed and the "
    "operator reads temperature from panel then notes value in log with date shift number serial code of machine"
).split()
SLICE = 40  # pages that pdfplumber reads; it takes its time


def text_pdf(path: Path, seed: int) -> None:
    """Some 250 pages of two columns with headings, page numbers and a running title."""
    _build(path, seed, columns=2, story=lambda r: [*_prose(r, 2200)])


def table_pdf(path: Path, seed: int) -> None:
    """Some 120 pages, each with a ruled table that goes on over the page, or several."""

    def story(r: random.Random) -> list[object]:
        parts: list[object] = []
        for n in range(60):
            rows = [["Code", "Meaning", "Cause", "Remedy"]]
            rows += [[f"E{n:02}{i:02}", *(" ".join(r.choices(WORDS, k=4)) for _ in range(3))] for i in range(60)]
            ruled = [("GRID", (0, 0), (-1, -1), 0.5, "black"), ("FONTSIZE", (0, 0), (-1, -1), 7)]
            parts += [*_prose(r, 4), Table(rows, repeatRows=1, style=ruled)]
        return parts

    _build(path, seed, columns=1, story=story)


def _prose(r: random.Random, paragraphs: int) -> list[Paragraph]:
    styles = getSampleStyleSheet()
    return [
        Paragraph(" ".join(r.choices(WORDS, k=6)).title(), styles["Heading2"])
        if n % 9 == 0
        else Paragraph(" ".join(r.choices(WORDS, k=r.randrange(40, 140))) + ".", styles["BodyText"])
        for n in range(paragraphs)
    ]


def _build(path: Path, seed: int, columns: int, story: Callable[[random.Random], list[object]]) -> None:
    wide = (A4[0] - 100) / columns

    def running(canvas, document) -> None:  # type: ignore[no-untyped-def]
        canvas.drawString(50, A4[1] - 30, "Handbook of pumps")
        canvas.drawString(A4[0] / 2, 25, f"Page {document.page}")

    frames = [Frame(50 + wide * n, 50, wide, A4[1] - 100) for n in range(columns)]
    document = BaseDocTemplate(str(path), pagesize=A4, pageTemplates=PageTemplate(frames=frames, onPage=running))
    document.build(story(random.Random(seed)))


def ours(path: Path) -> tuple[int, int, float]:
    """Pages, tables, and the seconds of a processor that they took, which other work on the machine does not lengthen."""
    start = time.process_time()
    document = read(path, "never")
    return document.pages or 0, document.tables, time.process_time() - start


def pages_a_second(pool: ProcessPoolExecutor, paths: list[Path]) -> tuple[float, float, int]:
    """Pages a second by the clock, pages a second of a processor, and tables."""
    start = time.perf_counter()
    counts = list(pool.map(ours, paths))
    pages = sum(n for n, _, _ in counts)
    clock = pages / (time.perf_counter() - start)
    return clock, pages / sum(spent for _, _, spent in counts), sum(tables for _, tables, _ in counts)


def plumber(path: Path, tables: bool) -> float:
    """Pages a second of pdfplumber in one process, on the first pages."""
    with pdfplumber.open(path, pages=list(range(1, SLICE + 1))) as pdf:
        start = time.perf_counter()
        for page in pdf.pages:
            page.extract_text()
            if tables:
                page.extract_tables()
            page.close()
        return len(pdf.pages) / (time.perf_counter() - start)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(FILES, get_context("spawn")) as pool:
        texts = [Path(folder) / f"text{n}.pdf" for n in range(FILES)]
        tables = [Path(folder) / f"table{n}.pdf" for n in range(FILES)]
        for n in range(FILES):
            text_pdf(texts[n], n)
            table_pdf(tables[n], n)
        list(pool.map(ours, tables))  # processes started, modules loaded
        text, text_cpu, _ = pages_a_second(pool, texts)
        table, table_cpu, found = pages_a_second(pool, tables)
        start = time.perf_counter()
        pages, _, _ = ours(texts[0])
        one = pages / (time.perf_counter() - start)
        start = time.perf_counter()
        table_pages, _, _ = ours(tables[0])
        table_one = table_pages / (time.perf_counter() - start)
        other, table_other = plumber(texts[0], False), plumber(tables[0], True)
    report("PDF", {
        "text pages": pages * FILES,
        "text pages a second, two processes": round(text, 1),
        "text pages a second of one processor": round(text_cpu, 1),
        "text pages a second, one process": round(one, 1),
        "text pages a second, pdfplumber, one process": round(other, 1),
        "times pdfplumber, text": round(one / other, 1),
        "table pages": table_pages * FILES,
        "tables found, of 120": found,
        "table pages a second, two processes": round(table, 1),
        "table pages a second of one processor": round(table_cpu, 1),
        "table pages a second, one process": round(table_one, 1),
        "table pages a second, pdfplumber, one process": round(table_other, 1),
        "times pdfplumber, tables": round(table_one / table_other, 1),
    })  # fmt: skip


if __name__ == "__main__":
    main()
