"""The way in: a one-time link from `make up`, or the key itself. The key lives in this browser tab's session alone."""

import streamlit as st

from ui.client import Gateway
from ui.markup import notice_html
from ui.replies import GatewayError


def signed_in(url: str) -> Gateway | None:
    """The person's connection, or None after showing how to sign in."""
    gateway: Gateway | None = st.session_state.get("gateway")
    if gateway is None and (token := st.query_params.get("token")):
        # It dies with its first use; out of the address bar with it, so that nobody bookmarks a dead link.
        st.query_params.clear()
        gateway = _try(url, token=token)
    if gateway is None:
        _form(url)
        gateway = st.session_state.get("gateway")
        if gateway is not None:
            st.rerun()
    return gateway


def sign_out(reason: str = "") -> None:
    st.session_state.clear()
    if reason:
        st.session_state["sign_in_failed"] = reason


def _try(url: str, token: str = "", key: str = "") -> Gateway | None:
    try:
        gateway = Gateway(url, key or Gateway(url).sign_in(token))
        gateway.assistants()
    except GatewayError as error:
        st.session_state["sign_in_failed"] = error.sentence
        return None
    st.session_state.pop("sign_in_failed", None)
    st.session_state["gateway"] = gateway
    return gateway


def _form(url: str) -> None:
    with st.container(key="sign-in"):
        st.html(
            '<div class="hero"><span class="brand">Lectern</span>'
            "<h1>Ask your documents.<br>See where it is written.</h1>"
            "<p>Open the sign-in link that <code>make up</code> printed, or paste your key.</p></div>"
        )
        with st.form("sign-in-form", border=False):
            key = st.text_input("Key", type="password", placeholder="Paste your key", autocomplete="off")
            if st.form_submit_button("Sign in", type="primary") and key.strip():
                _try(url, key=key.strip())
        if reason := st.session_state.get("sign_in_failed"):
            st.html(notice_html("failed", "Not signed in.", reason))
        st.caption("A new link: `serve key link`. The local key is in `local.key` in LECTERN_HOME.")
