"""What others wrote comes out as text, whatever it is made of."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui.markup import (
    answer_html,
    attached_html,
    broken_html,
    card_html,
    document_html,
    documents_html,
    draft_html,
    heading,
    label,
    notice_html,
    opened_html,
    passage_html,
    progress_html,
    question_html,
    reading_html,
    welcome_html,
)
from ui.replies import Assistant, Citation, Document, Passage

OURS = {"div", "p", "br", "strong", "del", "code", "pre", "span", "b", "i", "q", "ol", "li", "button", "mark", "h1", "h2"}
HOSTILE = [
    '<img src=http://203.0.113.9/a.png onerror="alert(1)">',
    "![x](http://203.0.113.9/a.png)",
    "[x](javascript:alert(1)) <http://203.0.113.9> [1]: http://203.0.113.9",
    "<script>alert(1)</script>",
    "**<b onclick=alert(1)>**`<i>` [1](http://203.0.113.9)",
    "```html\n<iframe src=//203.0.113.9></iframe>\n```\n- <svg/onload=alert(1)>\n# <a href=x>",
    '"><style>@import "http://203.0.113.9"</style>',
    "<!-- [1] --> &lt;img&gt; &#60;",
]


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.add("<!--")


def cite(text: str, marker: int = 1, **fields: object) -> Citation:
    given = {"document": text, "version": "v", "page": 3, "start": 0, "end": 9, "quote": text, "support": "partly", "by": "model"}
    return Citation(marker=marker, **{**given, **fields})  # type: ignore[arg-type]


def everything(text: str) -> list[str]:
    assistant = Assistant("a", text, text, [text], 2, text, [text])
    document = Document(text, "v", text, 3, 4, text, text)
    return [
        question_html(text),
        notice_html("failed", text, text),
        draft_html(text, 5),
        broken_html(text, text),
        answer_html(text, [cite(text)], 0),
        answer_html(text, [cite(text)], verbatim=True),
        passage_html(Passage(text, text, 1, text, text, text, text)),
        opened_html(1, text, text),
        welcome_html(assistant),
        card_html(assistant),
        documents_html(assistant, [document]),
        document_html(document),
        progress_html(text, text),
        attached_html([document], {text: text}),
        reading_html(text, 5),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    for html in everything(text):
        seen = Reader(html)
        assert seen.tags <= OURS, html
        assert not {a for a in seen.attributes if a in ("src", "href", "style") or a.startswith("on")}, html
    assert text in Reader(question_html(text)).text
    assert text in Reader(passage_html(Passage("d.md", "d", 1, "", "before ", text, " after"))).text


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("<>&\"'`*[]()!#-1. \n\\x中img") | st.characters(codec="utf-8"), max_size=120))
def test_any_text_gives_our_tags_alone(text: str) -> None:
    for html in everything(text):
        assert Reader(html).tags <= OURS
    assert Reader(question_html(text)).text == text


@pytest.mark.parametrize("text", HOSTILE)
def test_label_escapes_every_mark_of_markdown(text: str) -> None:
    at, plain = 0, ""
    escaped = label(text)
    while at < len(escaped):
        at += escaped[at] == "\\"  # the next character is taken as it is
        assert escaped[at].isalnum() or escaped[at] == " " or escaped[at - 1] == "\\" or ord(escaped[at]) > 127
        plain += escaped[at]
        at += 1
    assert plain == " ".join(text.split())


def test_markers_open_their_citations_and_unknown_ones_stay_text() -> None:
    html = answer_html("Tighten to 46 Nm. [2] Then wait [1][7].", [cite("a", 1), cite("b", 2, by="attached")], opened=1)
    assert html.count('data-cite="0"') == html.count('data-cite="1"') == 2, "in the text and in the list"
    assert "&nbsp;<button" in html and "[7]" in html
    assert html.count('aria-pressed="true"') == 2
    assert "attached by Lectern" in html and "cited by the model" in html and "partly supported" in html
    assert "d, page 3" in answer_html("x [1]", [cite("d")]) and "page" not in answer_html("x [1]", [cite("d", page=None)])


def test_answer_keeps_lists_code_and_emphasis() -> None:
    assert "<del" in (html := answer_html("~~It <b>burns</b>.~~ It runs [1].", [cite("d")])) and "<b>burns" not in html
    html = answer_html("Do **this**:\n\n1. Open `V1`\n2. Close\n\n```py\nif a[1] < 2:\n    pass\n```\nDone.", [])
    assert "<strong>this</strong>" in html and "<code>V1</code>" in html and 'data-n="2."' in html
    assert "<pre>if a[1] &lt; 2:\n    pass</pre>" in html and "<p>Done.</p>" in html


def test_quotes_of_documents_are_not_read_as_markup() -> None:
    text = "- **kwargs are `passed` on\n# not a heading [1]"
    assert "- **kwargs are `passed` on\n# not a heading&nbsp;<button" in answer_html(text, [cite("d")], verbatim=True)


def test_passage_marks_the_quote_alone_and_knows_code_and_chinese() -> None:
    html = passage_html(Passage("a/b.PY", "b", None, "", "x = 1\n", "y = 2", "\n"))
    assert "x = 1\n<mark>y = 2</mark>\n" in html and 'class="passage code"' in html and "lang=" not in html
    chinese = passage_html(Passage("合同.docx", "合同", 2, "第十二条", "", "逾期交货", ""))
    assert 'class="passage prose"' in chinese and 'lang="zh-Hans"' in chinese


def test_a_table_row_is_shown_under_its_columns_and_a_quote_is_called_a_quote() -> None:
    row = Passage("log.csv", "log", None, "", "a | b\n", "1 | 2", "", header="date | <b>minutes</b>")
    assert '<span class="columns">date | &lt;b&gt;minutes&lt;/b&gt;</span><mark>1 | 2</mark>' in passage_html(row)
    quoted = answer_html("x [1]", [cite("d")], verbatim=True)
    assert "word for word" in quoted and "supported</i>" not in quoted
    assert heading("refused", "文件中没有答案。") != heading("refused", "Too little bears on it.")
