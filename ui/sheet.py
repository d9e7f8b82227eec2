"""A piece of our own HTML whose citations can be clicked; st.html could show it, but not report a click."""

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

# `data.html` comes from ui/markup.py, where everything that is not ours has been escaped.
SCRIPT = """
export default function ({ data, parentElement, setTriggerValue }) {
  const sheet = parentElement.querySelector(".sheet");
  if (sheet.source !== data.html) {
    const focused = sheet.contains(document.activeElement) ? document.activeElement.dataset.at : undefined;
    sheet.source = data.html;
    sheet.innerHTML = data.html;
    sheet.querySelectorAll("[data-cite]").forEach((button, at) => { button.dataset.at = at; });
    if (focused !== undefined) sheet.querySelector(`[data-at="${focused}"]`)?.focus({ preventScroll: true });
    const scroller = sheet.querySelector(".passage");
    const mark = scroller?.querySelector("mark");
    if (mark) scroller.scrollTop = mark.offsetTop - scroller.clientHeight / 3;
  }
  sheet.onclick = (event) => {
    const button = event.target.closest("[data-cite]");
    if (button) setTriggerValue("opened", Number(button.dataset.cite));
  };
}
"""


def show_sheet(html: str, key: str, on_open: Callable[[int], None] | None = None) -> None:
    """Show `html`; `on_open` is called with the `data-cite` of what is clicked, before the page is drawn again."""

    def opened() -> None:
        index = st.session_state[key].opened
        if on_open and index is not None:
            on_open(int(index))

    _component()(key=key, data={"html": html}, on_opened_change=opened)


@cache
def _component() -> Any:
    html = '<div class="sheet"></div>'
    return st.components.v2.component("lectern_sheet", html=html, js=SCRIPT, isolate_styles=False)
