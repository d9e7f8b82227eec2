"""Routes of conversations: a key's own are listed, read and deleted, and take files; to any other key they are not there."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, UploadFile
from starlette.responses import Response

from ingest.manifest import Manifest
from serve import routes_documents
from serve.completion import beside
from serve.conversations import scores
from serve.gateway import Key, Shared
from serve.schema import Conversation

router = APIRouter(prefix="/v1/conversations")
Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


def own_files(conversation: Id, shared: Shared, key: Key) -> Iterator[Manifest]:
    """What is attached to the path's conversation, if it is this key's."""
    with shared.attached.manifest(key, conversation) as manifest:
        if manifest is None:
            raise _unknown(conversation)
        yield manifest


Files = Annotated[Manifest, Depends(own_files)]


def own_version(version: str, files: Files) -> dict[str, Any]:
    row = files.version(version)
    if row is None or not row["live"]:
        raise HTTPException(404, "That file is no longer attached. Attach it again.")
    return row


Version = Annotated[dict[str, Any], Depends(own_version)]


@router.get("")
def conversations(shared: Shared, key: Key) -> dict[str, list[Conversation]]:
    return {"conversations": shared.journal.conversations(key)}


@router.get("/{conversation}")
def conversation(conversation: Id, shared: Shared, key: Key) -> dict[str, Any]:
    """Its turns and files; `corpus` is empty while nothing was asked."""
    turns, files = shared.journal.turns(conversation, key), shared.attached.files(key, conversation)
    if not turns and not files:
        raise _unknown(conversation)
    said = scores(shared.journal, turns, key)
    shown = [{"question": t.question, "answer": t.answer.answer, "created": t.created, "score": said.get(t.id), **beside(t)} for t in turns]
    return {"id": conversation, "corpus": turns[0].corpus if turns else "", "turns": shown, "files": files}


@router.delete("/{conversation}")
def delete(conversation: Id, shared: Shared, key: Key) -> dict[str, Any]:
    turns, files = shared.forget(key, conversation)
    if not turns and not files:
        raise _unknown(conversation)
    shared.journal.audit(key, "delete conversation", conversation)
    return {"deleted": conversation, "turns": turns, "files": files}


@router.post("/{conversation}/files", status_code=201)
def attach(conversation: Id, file: list[UploadFile], shared: Shared, key: Key) -> dict[str, Any]:
    if len(file) != 1:
        raise HTTPException(400, f"The form holds {len(file)} files; one is taken at a time. Send each in a request of its own.")
    row = shared.attach(key, conversation, file[0].filename or "", file[0].file)
    shared.journal.audit(key, "attach", f"{conversation}/{row['document']}")
    return {"file": row}


@router.get("/{conversation}/files/{version}/passage")
def open_passage(row: Version, start: int, end: int, files: Files) -> dict[str, Any]:
    return routes_documents.open_passage(row, start, end, files)


@router.get("/{conversation}/files/{version}/pages/{number}.png", response_class=Response)
def open_page(row: Version, number: int, start: int, end: int, files: Files) -> Response:
    return routes_documents.open_page(row, number, start, end, files)


def _unknown(conversation: str) -> HTTPException:
    return HTTPException(404, f"No conversation {conversation[:40]!r}. See: GET /v1/conversations")
