"""Routes of a corpus's documents: list, upload, remove, and a citation opened as text or as a picture of its page."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, UploadFile
from starlette.responses import Response

from ingest.manifest import Manifest
from serve.documents import forget_uploads, keep_upload
from serve.gateway import Corpus, Key, Shared
from serve.page_image import occurrence, page_image
from serve.passage import check_span, passage
from serve.schema import Job

router = APIRouter(prefix="/v1/corpora/{corpus}")


def manifest(shared: Shared) -> Iterator[Manifest]:
    opened = Manifest(shared.settings.root)
    try:
        yield opened
    finally:
        opened.close()


Opened = Annotated[Manifest, Depends(manifest)]


def known_version(corpus: Corpus, version: str, opened: Opened) -> dict[str, Any]:
    """The manifest's row of the path's version, if it is this corpus's; another's answers like an unknown one."""
    row = opened.version(version)
    if row is None or row["corpus"] != corpus:
        raise HTTPException(
            404, "That version of the document is gone. Ask again: the answer will cite the present one."
        )
    return row


Version = Annotated[dict[str, Any], Depends(known_version)]


@router.get("/documents")
def documents(corpus: Corpus, opened: Opened) -> dict[str, Any]:
    listed = opened.documents(corpus)
    return {"documents": [{name: value for name, value in row.items() if name != "path"} for row in listed]}


@router.post("/documents", status_code=202)
def upload(corpus: Corpus, file: list[UploadFile], shared: Shared, key: Key) -> dict[str, Job]:
    if len(file) != 1:
        raise HTTPException(400, f"The form holds {len(file)} files; one is taken at a time. Send each in a request of its own.")
    path = keep_upload(shared.settings, corpus, file[0].filename or "", file[0].file)
    job = shared.journal.add_job(["ingest", "add", corpus, str(path)], key)
    shared.journal.audit(key, "upload", f"{corpus}/{path.name}")
    return {"job": job}


@router.delete("/documents/{version}")
def remove(corpus: Corpus, version: str, opened: Opened, shared: Shared, key: Key) -> dict[str, str]:
    from ingest.index import Index

    found = [row for row in opened.documents(corpus) if row["version"] == version]
    if not found:
        raise HTTPException(
            404, f"No document of version {version[:40]!r} in {corpus}. See: GET /v1/corpora/{corpus}/documents"
        )
    index = Index(corpus, shared.settings, shared.searcher.embedder)
    try:
        removed = index.remove([version])[0]["document"]
    finally:
        index.manifest.close()
    forget_uploads(shared.settings, corpus, [row["path"] for row in found])
    shared.journal.audit(key, "remove", f"{corpus}/{removed}")
    return {"removed": removed}


@router.get("/versions/{version}/passage")
def open_passage(row: Version, start: int, end: int, opened: Opened) -> dict[str, Any]:
    return passage(opened, row, start, end)


@router.get("/versions/{version}/pages/{number}.png", response_class=Response)
def open_page(row: Version, number: int, start: int, end: int, opened: Opened) -> Response:
    original = opened.original(row["id"])
    if row["suffix"] != ".pdf" or original is None:
        raise HTTPException(404, "This document has no pages to show. Open the passage instead.")
    text = opened.text(row["id"])
    check_span(text, start, end)
    first = min((c.start for c in opened.chunks(row["id"]) if c.page == number), default=start)
    picture = page_image(original, number, text[start:end], occurrence(text, min(first, start), start, end))
    # The same address always shows the same: a version never changes.
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
