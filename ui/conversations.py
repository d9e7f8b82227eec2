"""Earlier conversations with an assistant, in the sidebar: open one again, or delete it."""

import streamlit as st

from ui.chat import new_conversation, open_conversation, reopen
from ui.client import Gateway
from ui.markup import label, notice_html
from ui.replies import Assistant, Conversation, GatewayError

SHOWN = 40  # conversations; older ones are there for whoever asks the gateway
CALLED = 70  # characters of the first question


def show_conversations(gateway: Gateway, assistant: Assistant) -> None:
    try:
        earlier = [c for c in gateway.conversations() if c.corpus == assistant.id]
    except GatewayError as error:
        if error.status == 401:
            raise
        return  # the conversation on the page stays readable meanwhile
    failed = st.session_state.pop("conversation_failed", "")
    if not earlier and not failed:
        return
    with st.sidebar, st.container(key="conversations"):
        st.html('<h2 class="earlier">Conversations</h2>')
        if failed:
            st.html(notice_html("failed", "That did not work.", failed))
        for conversation in earlier[:SHOWN]:
            _row(gateway, assistant, conversation)


def _row(gateway: Gateway, assistant: Assistant, conversation: Conversation) -> None:
    question = " ".join(conversation.question.split()) or "(erased)"
    called = question if len(question) <= CALLED else f"{question[:CALLED].rstrip()}…"
    here = conversation.id == open_conversation(assistant.id)
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"conversation-{conversation.id}"):
        st.button(label(called), key=f"open-{conversation.id}", type="secondary" if here else "tertiary", width="stretch",
                  help=f"{conversation.created[:10]}, {conversation.turns} turns" if conversation.turns > 1 else conversation.created[:10],
                  on_click=_open, args=(gateway, assistant.id, conversation.id))  # fmt: skip
        with st.popover("", icon=":material/delete:", type="tertiary", help="Delete this conversation"):
            st.write(f"Delete **{label(called)}** and what you said of its answers?")
            st.button("Delete it", key=f"delete-{conversation.id}", type="primary", on_click=_delete,
                      args=(gateway, assistant.id, conversation.id))  # fmt: skip


def _open(gateway: Gateway, assistant_id: str, conversation: str) -> None:
    try:
        reopen(gateway, assistant_id, conversation, gateway.conversation(conversation))
    except GatewayError as error:
        st.session_state["conversation_failed"] = error.sentence


def _delete(gateway: Gateway, assistant_id: str, conversation: str) -> None:
    try:
        gateway.delete_conversation(conversation)
    except GatewayError as error:
        st.session_state["conversation_failed"] = error.sentence
        return
    if conversation == open_conversation(assistant_id):
        new_conversation(gateway, assistant_id)
