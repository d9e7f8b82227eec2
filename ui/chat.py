"""A conversation with one assistant: ask, watch the answer come, open its citations, say whether it was right."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal
from uuid import uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.attached import REDRAWN, Attached, attach, show_attached
from ui.client import Gateway, Message
from ui.markup import answer_html, broken_html, draft_html, heading, label, notice_html, question_html, welcome_html
from ui.passage import close_citation, open_citation, opened, show_passage
from ui.replies import Answer, Assistant, GatewayError, Said, Thought
from ui.sheet import show_sheet
from ui.waiting import with_pauses

REMEMBERED = 4  # earlier turns sent along, so that "and for the other pump?" is understood; more cost prompt


@dataclass(slots=True)
class Turn:
    """One question and what came of it. Neither `answer` nor `error`: on its way, or stopped by its reader."""

    question: str
    thinking: str = ""
    text: str = ""
    answer: Answer | None = None
    error: str = ""
    score: Literal[1, -1] | None = None
    correction: str = ""
    learn: bool = False  # may the assistant be taught with what was said of it?


@dataclass(slots=True)
class Talk:
    """The conversation with an assistant that is on the page; the gateway keeps it under its id."""

    id: str = field(default_factory=lambda: uuid4().hex)
    turns: list[Turn] = field(default_factory=list)
    attached: Attached = field(default_factory=Attached)


def show_chat(gateway: Gateway, assistant: Assistant) -> None:
    above = st.bottom.empty()
    asked, files = _question_box(assistant)
    if asked:
        close_citation()  # it stands behind an earlier answer, not behind the one that comes
    talk = _talk(assistant.id)
    turns = talk.turns
    if asked or files:
        talk.attached.refused = {}
    show_attached(gateway, talk.id, talk.attached, above)
    with st.container(key="beside"):  # there without a passage too, so that nothing below it is made anew
        if found := opened():
            show_passage(gateway, found)
    with st.container(key="thread"):
        welcome = st.empty()  # always there, so that it goes at once when the first question comes
        if not turns and not asked:
            with welcome.container():
                _welcome(assistant)
        for number, turn in enumerate(turns):
            _show_turn(gateway, assistant, turn, number)
        if asked:
            turns.append(Turn(asked))
            _answer(gateway, assistant, talk, files, above)
        elif files:
            attach(gateway, talk.id, talk.attached, files, st.empty())
            st.rerun()


def new_conversation(gateway: Gateway, assistant_id: str) -> None:
    _let_go(gateway, _talk(assistant_id))
    _talks()[assistant_id] = Talk()
    close_citation()


def reopen(gateway: Gateway, assistant_id: str, conversation: str, said: Sequence[Said]) -> None:
    """Go on with an earlier conversation."""
    if conversation != open_conversation(assistant_id):
        _let_go(gateway, _talk(assistant_id))
    turns = [Turn(s.question, text=s.text, answer=s.answer, score=s.score) for s in said]
    _talks()[assistant_id] = Talk(conversation, turns, Attached(files=None))
    close_citation()


def open_conversation(assistant_id: str) -> str:
    """The id of the one on the page."""
    return _talk(assistant_id).id


def has_begun(assistant_id: str) -> bool:
    """Whether there is a conversation, or its first question or file has just come."""
    talk = _talk(assistant_id)
    return bool(talk.turns or talk.attached.files or "asked" in st.session_state or st.session_state.get(f"question-{assistant_id}"))


def _talks() -> dict[str, Talk]:
    talks: dict[str, Talk] = st.session_state.setdefault("talks", {})
    return talks


def _talk(assistant_id: str) -> Talk:
    return _talks().setdefault(assistant_id, Talk())


def _let_go(gateway: Gateway, talk: Talk) -> None:
    """Files of a conversation in which nothing was answered go with it: the gateway lists no such one to be deleted later."""
    nothing = talk.attached.files is not None and not talk.attached.files
    if nothing or any(turn.answer for turn in talk.turns):
        return
    try:
        gateway.delete_conversation(talk.id)
    except GatewayError as error:
        if error.status != 404:
            st.session_state["conversation_failed"] = error.sentence


def _question_box(assistant: Assistant) -> tuple[str, Sequence[UploadedFile]]:
    """What was asked, and the files that came with it or alone."""
    key = f"question-{assistant.id}"
    if "unsent" in st.session_state:
        st.session_state[key] = st.session_state.pop("unsent")
    sent = st.chat_input(f"Ask {assistant.title}", key=key, submit_mode="stop", accept_file="multiple")
    asked: str = st.session_state.pop("asked", "")
    return (asked or sent.text.strip(), sent.files) if sent else (asked, ())


def _welcome(assistant: Assistant) -> None:
    st.html(welcome_html(assistant))
    for number, example in enumerate(assistant.examples):
        st.button(label(example), key=f"example-{number}", width="stretch", on_click=_ask, args=(example,))


def _ask(question: str) -> None:
    st.session_state["asked"] = question


def _ask_again(turns: list[Turn], number: int) -> None:
    _ask(turns.pop(number).question)


def _history(turns: list[Turn]) -> list[Message]:
    answered = [turn for turn in turns if turn.answer][-REMEMBERED:]
    messages = []
    for turn in answered:
        messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.text}]
    return messages


def _answer(gateway: Gateway, assistant: Assistant, talk: Talk, files: Sequence[UploadedFile], above: DeltaGenerator) -> None:
    """Attach `files`, then stream the last turn's answer. Where its reader stops it, Streamlit ends this run and the turn stays
    as it is. Where a file is refused nothing is asked, and the question goes back into its box."""
    turns, turn = talk.turns, talk.turns[-1]
    st.html(question_html(turn.question))
    fold, draft = st.empty(), st.empty()
    if files:
        if not attach(gateway, talk.id, talk.attached, files, draft):
            st.session_state["unsent"] = turns.pop().question
            st.rerun()
        show_attached(gateway, talk.id, talk.attached, above)
    thinking: DeltaGenerator | None = None
    begun, drawn = time.monotonic(), 0.0
    draft.html(draft_html("", 0))
    messages = [*_history(turns[:-1]), {"role": "user", "content": turn.question}]
    try:
        for piece in with_pauses(gateway.ask(assistant.id, messages, talk.id), REDRAWN):
            if isinstance(piece, Answer):
                turn.answer = piece
            elif isinstance(piece, Thought):
                turn.thinking += piece.text
                if (now := time.monotonic()) - drawn > REDRAWN:  # the whole text is sent each time
                    thinking, drawn = thinking or fold.expander("Thinking").empty(), now
                    thinking.text(turn.thinking)
                    draft.html(draft_html("", now - begun, thinking=True))
            else:
                turn.text += piece or ""
                draft.html(draft_html(turn.text, time.monotonic() - begun, bool(turn.thinking)))
    except GatewayError as error:
        if error.status == 401:
            raise
        turn.error = error.sentence
    if thinking:
        thinking.text(turn.thinking)
    talk.attached.files = None  # one whose reading was stopped here may be there by now
    show_attached(gateway, talk.id, talk.attached, above)
    with draft.container():
        _show_reply(gateway, assistant, turn, len(turns) - 1)


def _show_turn(gateway: Gateway, assistant: Assistant, turn: Turn, number: int) -> None:
    st.html(question_html(turn.question))
    fold = st.empty()
    if turn.thinking:
        fold.expander("Thinking").empty().text(turn.thinking)  # as it stands there: no markup, no markers
    with st.empty().container():  # the same shape as a draft has, so that an answer keeps its place
        _show_reply(gateway, assistant, turn, number)


def _show_reply(gateway: Gateway, assistant: Assistant, turn: Turn, number: int) -> None:
    answer = turn.answer
    if answer is None:
        st.html(broken_html(turn.text, turn.error))
        st.button("Ask again", key=f"again-{number}", on_click=_ask_again, args=(_talk(assistant.id).turns, number))
        return
    if answer.refused:
        st.html(notice_html("refused", heading("refused", answer.notice), answer.notice))
    elif answer.mode == "extractive":
        st.html(notice_html("quoted", heading("quoted", answer.notice), answer.notice))
    elif answer.notice:
        st.html(notice_html("quoted", heading("noted", answer.notice), answer.notice))
    found = opened()
    index = found.index if found and found.trace_id == answer.trace_id else None
    key = f"answer-{assistant.id}-{number}"
    html = answer_html(turn.text, answer.citations, index, answer.mode == "extractive", answer.refused)
    show_sheet(html, key, partial(_open, assistant.id, answer))
    if answer.trace_id:
        with st.container(key=f"rating-{number}"):
            _rate(gateway, turn, answer.trace_id, learned=not _talk(assistant.id).attached.files)


def _open(corpus: str, answer: Answer, index: int) -> None:
    if 0 <= index < len(answer.citations):
        talk, citation = _talk(corpus), answer.citations[index]
        open_citation(corpus, talk.id if talk.attached.has(citation.version) else "", answer.trace_id, index, citation)


def _rate(gateway: Gateway, turn: Turn, trace_id: str, learned: bool) -> None:
    """`learned`: it may be trained on, if the person lets it; beside attached files it may not."""
    given = {1: 1, -1: 0}.get(turn.score or 0)
    thumb = st.feedback("thumbs", key=f"thumb-{trace_id}", default=given)
    if thumb is None:
        return
    score: Literal[1, -1] = 1 if thumb == 1 else -1
    learn = learned and st.checkbox("The assistant may learn from this", turn.learn, key=f"learn-{trace_id}")
    if (score, learn) != (turn.score, turn.learn) and _sent(gateway, trace_id, score, turn.correction, learn):
        turn.score, turn.learn = score, learn
    if turn.correction:
        st.caption("Thank you. Your correction is kept for the next training." if learn else "Thank you. Your correction is kept.")
    elif turn.score == -1:
        with st.form(f"correction-{trace_id}", border=False):
            text = st.text_area("What should the answer have been? (optional)", max_chars=8000, height=96)
            if st.form_submit_button("Send correction") and text.strip() and _sent(gateway, trace_id, -1, text.strip(), learn):
                turn.correction = text.strip()
                st.rerun()
    elif turn.score:
        st.caption("Thank you.")


def _sent(gateway: Gateway, trace_id: str, score: Literal[1, -1], correction: str, learn: bool) -> bool:
    try:
        gateway.feedback(trace_id, score, correction, learn)
    except GatewayError as error:
        st.html(notice_html("failed", "This was not kept.", error.sentence))
        return False
    return True
