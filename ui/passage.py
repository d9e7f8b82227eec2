"""An open citation: the passage with its quote highlighted, and for a PDF the picture of its page."""

from dataclasses import dataclass

import streamlit as st

from ui.client import Gateway
from ui.markup import notice_html, opened_html, passage_html, place
from ui.replies import Citation, GatewayError, Passage
from ui.sheet import show_sheet


@dataclass(slots=True)
class Opened:
    """The citation that is open, and what has been fetched for it so far."""

    corpus: str
    conversation: str  # that the cited file is attached to; empty for a document of the corpus
    trace_id: str
    index: int
    citation: Citation
    passage: Passage | None = None
    image: bytes | None = None


def opened() -> Opened | None:
    found: Opened | None = st.session_state.get("opened")
    return found


def open_citation(corpus: str, conversation: str, trace_id: str, index: int, citation: Citation) -> None:
    st.session_state["opened"] = Opened(corpus, conversation, trace_id, index, citation)


def close_citation() -> None:
    st.session_state.pop("opened", None)


def show_passage(gateway: Gateway, found: Opened) -> None:
    with st.container(key="passage"):
        try:
            found.passage = found.passage or gateway.passage(found.corpus, found.citation, found.conversation)
        except GatewayError as error:
            _heading(found.citation.marker, place(found.citation.document, found.citation.page), "")
            st.html(notice_html("failed", "This passage cannot be opened.", error.sentence))
            return
        passage = found.passage
        where = [f"page {passage.page}" if passage.page is not None else "", passage.section]
        _heading(found.citation.marker, passage.title or passage.document, " · ".join(filter(None, where)))
        view = "Text"
        if passage.has_page_image:
            choices = ["Text", f"Page {passage.page}"]
            view = st.segmented_control("View", choices, default="Text", required=True, label_visibility="collapsed",
                                        key=f"view-{found.trace_id}-{found.index}")  # fmt: skip
        if view == "Text":
            show_sheet(passage_html(passage), key=f"passage-{found.trace_id}-{found.index}")
        else:
            _show_page(gateway, found)


def _heading(marker: int, title: str, where: str) -> None:
    with st.container(horizontal=True, vertical_alignment="top", wrap=False, key="passage-heading"):
        st.html(opened_html(marker, title, where))
        st.button("Close", key="close-passage", on_click=close_citation, type="tertiary", icon=":material/close:")


def _show_page(gateway: Gateway, found: Opened) -> None:
    try:
        found.image = found.image or gateway.page_image(found.corpus, found.citation, found.conversation)
    except GatewayError as error:
        st.html(notice_html("failed", "The page cannot be shown.", error.sentence))
        return
    with st.container(key="page-image"):
        st.image(found.image, width="stretch")
