"""Routes of conversations: a key's own are listed, read and deleted; to any other key they are not there."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException

from serve.completion import beside
from serve.conversations import scores
from serve.gateway import Key, Shared
from serve.schema import Conversation, Trace

router = APIRouter(prefix="/v1/conversations")


def own_turns(conversation: str, shared: Shared, key: Key) -> list[Trace]:
    """The turns of the path's conversation, if it is this key's; another's answers like an unknown one."""
    found = shared.journal.turns(conversation, key)
    if not found:
        raise HTTPException(404, f"No conversation {conversation[:40]!r}. See: GET /v1/conversations")
    return found


Turns = Annotated[list[Trace], Depends(own_turns)]


@router.get("")
def conversations(shared: Shared, key: Key) -> dict[str, list[Conversation]]:
    return {"conversations": shared.journal.conversations(key)}


@router.get("/{conversation}")
def conversation(turns: Turns, shared: Shared, key: Key) -> dict[str, Any]:
    said = scores(shared.journal, turns, key)
    shown = [{"question": t.question, "answer": t.answer.answer, "created": t.created, "score": said.get(t.id), **beside(t)} for t in turns]
    return {"id": turns[0].conversation, "corpus": turns[0].corpus, "turns": shown}


@router.delete("/{conversation}")
def delete(turns: Turns, shared: Shared, key: Key) -> dict[str, Any]:
    conversation_id = turns[0].conversation
    count = shared.journal.delete_conversation(conversation_id, key)
    shared.journal.audit(key, "delete conversation", conversation_id)
    return {"deleted": conversation_id, "turns": count}
