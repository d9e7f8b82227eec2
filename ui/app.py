"""The page: sign in, choose an assistant, ask.  Run: streamlit run ui/app.py"""

import os
import time
from pathlib import Path

import streamlit as st

from ui.chat import has_begun, new_conversation, show_chat
from ui.client import Gateway
from ui.conversations import show_conversations
from ui.documents import show_documents
from ui.markup import card_html, choose_html, health_html, label, notice_html
from ui.passage import close_citation
from ui.replies import Assistant, GatewayError, Health
from ui.signin import sign_out, signed_in

HERE = Path(__file__).parent
URL = os.environ.get("LECTERN_API_URL", "http://127.0.0.1:8000")
HEALTH_SECONDS = 5  # how long one look at the model's health is believed


def main() -> None:
    st.set_page_config(page_title="Lectern", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.html(HERE / "page.css")
    gateway = signed_in(URL)
    if gateway is None:
        return
    try:
        _page(gateway)
    except GatewayError as error:
        if error.status == 401:
            sign_out(error.sentence)
            st.rerun()
        st.html(notice_html("failed", "Lectern cannot go on.", error.sentence))
        st.button("Try again")


def _page(gateway: Gateway) -> None:
    assistants = _assistants(gateway)
    chosen = next((a for a in assistants if a.id == st.session_state.get("assistant")), None)
    view = _bar(gateway, assistants, chosen)
    if chosen is None:
        _choose(assistants)
    elif view == "Documents":
        show_documents(gateway, chosen)
    else:
        show_chat(gateway, chosen)
        show_conversations(gateway, chosen)  # after the answer, so that its conversation is among them


def _assistants(gateway: Gateway) -> list[Assistant]:
    """What the gateway has; while it does not answer what it had, so that a conversation stays readable meanwhile."""
    known: list[Assistant] | None = st.session_state.get("assistants")
    try:
        known = gateway.assistants()
    except GatewayError as error:
        if error.status or known is None:
            raise
    st.session_state["assistants"] = known
    return known


def _bar(gateway: Gateway, assistants: list[Assistant], chosen: Assistant | None) -> str:
    """The line above everything; returns which view of the assistant is asked for."""
    view = "Ask"
    with st.container(horizontal=True, vertical_alignment="center", key="bar"):
        st.button(
            "Lectern", key="home", type="tertiary", on_click=_choose_assistant, args=(None,), help="All assistants"
        )
        if chosen:
            titles = {a.id: a.title for a in assistants}
            st.session_state["bar-assistant"] = chosen.id
            st.selectbox("Assistant", list(titles), format_func=lambda i: titles[i], key="bar-assistant", width=240,
                         label_visibility="collapsed", on_change=_switch_assistant)  # fmt: skip
            view = st.segmented_control("View", ["Ask", "Documents"], default="Ask", required=True, key="view",
                                        label_visibility="collapsed", on_change=close_citation)  # fmt: skip
        st.space("stretch")
        if chosen and view == "Ask" and has_begun(chosen.id):
            st.button("New conversation", type="tertiary", on_click=new_conversation, args=(gateway, chosen.id))
        st.html(health_html(_health(gateway)), width="content")
        st.button("Sign out", type="tertiary", on_click=sign_out)
    return view


def _health(gateway: Gateway) -> Health | None:
    at, health = st.session_state.get("health", (0.0, None))
    if health is None or time.monotonic() - at > HEALTH_SECONDS:
        try:
            health = gateway.health()
        except GatewayError:
            health = None
        st.session_state["health"] = (time.monotonic(), health)
    return health


def _choose(assistants: list[Assistant]) -> None:
    with st.container(key="choose"):
        st.html(choose_html(bool(assistants)))
        with st.container(key="cards"):
            for assistant in assistants:
                with st.container(key=f"card-{assistant.id}"):
                    st.html(card_html(assistant))
                    st.button(f"Ask {label(assistant.title)}", key=f"choose-{assistant.id}", type="tertiary",
                              on_click=_choose_assistant, args=(assistant.id,))  # fmt: skip


def _choose_assistant(assistant_id: str | None) -> None:
    st.session_state["assistant"] = assistant_id
    close_citation()


def _switch_assistant() -> None:
    _choose_assistant(st.session_state["bar-assistant"])


if __name__ == "__main__":
    main()
