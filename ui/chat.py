"""A conversation with one assistant: ask, watch the answer come, open its citations, say whether it was right."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal
from uuid import uuid4

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.client import Answer, Assistant, Gateway, GatewayError, Message, Said, Thought
from ui.markup import answer_html, broken_html, draft_html, heading, label, notice_html, question_html, welcome_html
from ui.passage import close_citation, open_citation, opened, show_passage
from ui.sheet import show_sheet
from ui.waiting import with_pauses

REDRAWN = 0.4  # seconds between two looks at whether the reader wants to stop
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
    corrected: bool = False


@dataclass(slots=True)
class Talk:
    """The conversation with an assistant that is on the page; the gateway keeps it under its id."""

    id: str = field(default_factory=lambda: uuid4().hex)
    turns: list[Turn] = field(default_factory=list)


def show_chat(gateway: Gateway, assistant: Assistant) -> None:
    asked = _question_box(assistant)
    if asked:
        close_citation()  # it stands behind an earlier answer, not behind the one that comes
    turns = _turns(assistant.id)
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
            turn = Turn(asked)
            turns.append(turn)
            _answer(gateway, assistant, turns)


def new_conversation(assistant_id: str) -> None:
    _talks()[assistant_id] = Talk()
    close_citation()


def reopen(assistant_id: str, conversation: str, said: Sequence[Said]) -> None:
    """Go on with an earlier conversation."""
    _talks()[assistant_id] = Talk(conversation, [Turn(s.question, text=s.text, answer=s.answer, score=s.score) for s in said])
    close_citation()


def open_conversation(assistant_id: str) -> str:
    """The id of the one on the page."""
    return _talk(assistant_id).id


def has_begun(assistant_id: str) -> bool:
    """Whether there is a conversation, or its first question has just come."""
    return bool(_turns(assistant_id) or "asked" in st.session_state or st.session_state.get(f"question-{assistant_id}"))


def _talks() -> dict[str, Talk]:
    talks: dict[str, Talk] = st.session_state.setdefault("talks", {})
    return talks


def _talk(assistant_id: str) -> Talk:
    return _talks().setdefault(assistant_id, Talk())


def _turns(assistant_id: str) -> list[Turn]:
    return _talk(assistant_id).turns


def _question_box(assistant: Assistant) -> str | None:
    typed = st.chat_input(f"Ask {assistant.title}", key=f"question-{assistant.id}", submit_mode="stop")
    asked: str | None = st.session_state.pop("asked", None)
    return asked or (str(typed).strip() or None if typed else None)


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


def _answer(gateway: Gateway, assistant: Assistant, turns: list[Turn]) -> None:
    """Stream the last turn's answer. Where its reader stops it, Streamlit ends this run and the turn stays as it is."""
    turn = turns[-1]
    st.html(question_html(turn.question))
    fold, draft, begun = st.empty(), st.empty(), time.monotonic()
    thinking: DeltaGenerator | None = None
    drawn = 0.0
    draft.html(draft_html("", 0))
    messages = [*_history(turns[:-1]), {"role": "user", "content": turn.question}]
    try:
        for piece in with_pauses(gateway.ask(assistant.id, messages, _talk(assistant.id).id), REDRAWN):
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
        st.button("Ask again", key=f"again-{number}", on_click=_ask_again, args=(_turns(assistant.id), number))
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
            _rate(gateway, turn, answer.trace_id)


def _open(corpus: str, answer: Answer, index: int) -> None:
    if 0 <= index < len(answer.citations):
        open_citation(corpus, answer.trace_id, index, answer.citations[index])


def _rate(gateway: Gateway, turn: Turn, trace_id: str) -> None:
    given = {1: 1, -1: 0}.get(turn.score or 0)
    thumb = st.feedback("thumbs", key=f"thumb-{trace_id}", default=given)
    if thumb is None:
        return
    score: Literal[1, -1] = 1 if thumb == 1 else -1
    if score != turn.score and _sent(gateway, trace_id, score):
        turn.score = score
    if turn.corrected:
        st.caption("Thank you. Your correction is kept for the next training.")
    elif turn.score == -1:
        with st.form(f"correction-{trace_id}", border=False):
            text = st.text_area("What should the answer have been? (optional)", max_chars=8000, height=96)
            if st.form_submit_button("Send correction") and text.strip() and _sent(gateway, trace_id, -1, text.strip()):
                turn.corrected = True
                st.rerun()
    elif turn.score:
        st.caption("Thank you.")


def _sent(gateway: Gateway, trace_id: str, score: Literal[1, -1], correction: str = "") -> bool:
    try:
        gateway.feedback(trace_id, score, correction)
    except GatewayError as error:
        st.html(notice_html("failed", "This was not kept.", error.sentence))
        return False
    return True
