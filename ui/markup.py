"""Text of models, documents and people turned into HTML that can only be read: every character of it is escaped.

The tags below are the only ones that ever come out. Images, links and HTML in an answer stay visible as their own
source, so nothing is fetched and nothing can be clicked but our citations.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from ui.replies import Assistant, Citation, Document, Health, Passage

INLINE = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*|~~((?:(?!~~).)+)~~|( ?)\[(\d{1,3})\]")
MARKER = re.compile(r"( ?)\[(\d{1,3})\]")
FENCE = re.compile(r"^```[^\n]*\n(.*?)(?:^```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"\s*(?:[-*•]|(\d{1,3})[.)])\s+(.*)")
HEADING = re.compile(r"#{1,6}\s+(.*)")
HAN = re.compile(r"[\u3400-\u9fff]")
CODE_FILES = (".py", ".js", ".ts", ".java", ".c", ".cpp", ".h", ".go", ".rs", ".sh", ".sql")

JOIN = {" ": "&nbsp;", "": ""}  # a chip stays on the line of the word before it

SUPPORT = {"supported": "supported", "partly": "partly supported", "unsupported": "not supported"}
LANGUAGES = {"en": "English", "zh": "Chinese"}
BY = {"model": "cited by the model", "attached": "attached by Lectern"}

Chip = Callable[[int], str]  # the n of "[n]" -> its HTML


def label(text: str) -> str:
    """`text` for a widget's label, which Streamlit reads as Markdown: images and links are escaped too."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def lang(text: str) -> str:
    """The lang attribute that gives Han characters their Chinese shapes on a page whose language is English."""
    return ' lang="zh-Hans"' if HAN.search(text) else ""


def question_html(text: str) -> str:
    return f'<div class="question"{lang(text)}>{escape(text)}</div>'


def notice_html(kind: str, heading: str, text: str = "") -> str:
    """A quiet band: kind is `quoted`, `refused`, `stopped` or `failed`."""
    role = "alert" if kind == "failed" else "note"
    body = f"<span>{escape(text)}</span>" if text else ""
    return f'<div class="notice {kind}" role="{role}"{lang(text)}><strong>{escape(heading)}</strong>{body}</div>'


def draft_html(text: str, seconds: float, thinking: bool = False) -> str:
    """An answer on its way: its markers stand there, but open nothing yet. Where it is stopped, Streamlit draws nothing
    more, so the notice of that is there from the start and shows itself when the page comes to rest (page.css)."""
    body = f'<div class="answer"{lang(text)} aria-busy="true">{_plain_blocks(text)}</div>' if text else ""
    since = f", {seconds:.0f} s" if seconds >= 3 else ""
    doing = "Thinking" if thinking else "Searching the documents"
    waiting = "" if text else f'<div class="waiting" role="status">{doing}{since}</div>'
    return f'<div class="draft">{body}{waiting}{STOPPED}</div>'


def broken_html(text: str, error: str) -> str:
    """What came of an answer that was stopped, or failed with `error`."""
    body = f'<div class="answer"{lang(text)}>{_plain_blocks(text)}</div>' if text else ""
    if not error:
        return body + STOPPED
    return body + notice_html("failed", "The answer is not complete." if text else "No answer.", error)


HEADINGS = {
    "refused": {"en": "Not answered from these documents.", "zh": "文件中没有答案。"},
    "quoted": {"en": "Quoted from the documents.", "zh": "引自文件。"},
    "noted": {"en": "Please note.", "zh": "请注意。"},
}


def heading(kind: str, notice: str) -> str:
    """What stands above an answer of this kind, in the language of its notice."""
    return HEADINGS[kind]["zh" if HAN.search(notice) else "en"]


STOPPED = notice_html("stopped", "Stopped before it was complete.", "Nothing of it is remembered. Ask again.")


def answer_html(text: str, citations: Sequence[Citation], opened: int | None = None, verbatim: bool = False,
                refused: bool = False) -> str:  # fmt: skip
    """A complete answer with its citations below; `data-cite` is the index in `citations`, `opened` the open one.
    `verbatim`: the text is the documents' own, so its asterisks and dashes are no markup. `refused`: they only came near."""
    places = {citation.marker: index for index, citation in enumerate(citations)}

    def chip(n: int) -> str:
        return _chip(citations[places[n]], places[n], places[n] == opened) if n in places else f"[{n}]"

    body = MARKER.sub(lambda m: JOIN[m[1]] + chip(int(m[2])), escape(text)) if verbatim else _blocks(text, chip)
    body = body.replace("\u2060", "")  # it kept a document's own brackets from being taken for markers
    tag = "near, but no answer" if refused else "word for word" if verbatim else ""
    rows = "".join(_row(c, i, i == opened, tag) for i, c in enumerate(citations))
    sources = f'<ol class="citations" aria-label="{"Nearest passages" if refused else "Citations"}">{rows}</ol>' if rows else ""
    return f'<div class="answer{" verbatim" if verbatim else ""}"{lang(text)}>{body}</div>{sources}'


def passage_html(passage: Passage) -> str:
    """The quote, highlighted between what stands before and after it; above a table's row, what its columns are."""
    kind = "code" if passage.document.lower().endswith(CODE_FILES) else "prose"
    columns = f'<span class="columns">{escape(passage.header)}</span>' if passage.header else ""
    text = f"{escape(passage.before)}{columns}<mark>{escape(passage.quote)}</mark>{escape(passage.after)}"
    return f'<div class="passage {kind}" tabindex="0"{lang(passage.before + passage.quote)}>{text}</div>'


def opened_html(marker: int, title: str, where: str) -> str:
    place = f"<span{lang(where)}>{escape(where)}</span>" if where else ""
    return f'<div class="opened"><span class="chip">{marker}</span><h2{lang(title)}>{escape(title)}</h2>{place}</div>'


def place(document: str, page: int | None) -> str:
    return f"{document}, page {page}" if page is not None else document


def _chip(citation: Citation, index: int, opened: bool) -> str:
    about = f"Citation {citation.marker}: {place(citation.document, citation.page)}; {BY[citation.by]}"
    return (
        f'<button type="button" class="chip {citation.by} {citation.support}" data-cite="{index}" '
        f'aria-pressed="{str(opened).lower()}" aria-label="{escape(about)}" title="{escape(about)}">'
        f"{citation.marker}</button>"
    )


def _row(citation: Citation, index: int, opened: bool, tag: str) -> str:
    # a quote always supports itself: to call it checked would say more than is known
    tags = [("", tag)] if tag else [(citation.support, SUPPORT[citation.support]), ("", BY[citation.by])]
    badges = "".join(f'<i class="{kind}">{said}</i>' for kind, said in tags)
    page = f'<span class="page">page {citation.page}</span>' if citation.page is not None else ""
    return (
        f'<li><button type="button" data-cite="{index}" aria-pressed="{str(opened).lower()}">'
        f'<span class="chip {citation.by} {citation.support}">{citation.marker}</span>'
        f'<span class="where"{lang(citation.document)}><b>{escape(citation.document)}</b>{page}</span>'
        f'<span class="tags">{badges}</span>'
        f"<q{lang(citation.quote)}>{escape(' '.join(citation.quote.split())[:200])}</q></button></li>"
    )


def _plain_blocks(text: str) -> str:
    return _blocks(text, lambda n: f'<span class="chip">{n}</span>')


def _blocks(text: str, chip: Chip) -> str:
    out, at = [], 0
    for fence in FENCE.finditer(text):
        out += [_prose(text[at : fence.start()], chip), f"<pre>{escape(fence[1].rstrip())}</pre>"]
        at = fence.end()
    return "".join([*out, _prose(text[at:], chip)])


def _prose(text: str, chip: Chip) -> str:
    out = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines: list[str] = []
        for line in block.splitlines():
            if item := ITEM.fullmatch(line):
                number = f' data-n="{item[1]}."' if item[1] else ""
                out += [_paragraph(lines), f'<p class="item"{number}>{_inline(item[2], chip)}</p>']
                lines = []
            elif heading := HEADING.fullmatch(line):
                out += [_paragraph(lines), f"<p><strong>{_inline(heading[1], chip)}</strong></p>"]
                lines = []
            else:
                lines.append(_inline(line, chip))
        out.append(_paragraph(lines))
    return "".join(out)


def _paragraph(lines: list[str]) -> str:
    return f"<p>{'<br>'.join(lines)}</p>" if any(lines) else ""


def _inline(text: str, chip: Chip) -> str:
    out, at = [], 0
    for match in INLINE.finditer(text):
        out.append(escape(text[at : match.start()]))
        code, bold, gone, space, marker = match.groups()
        if code:
            out.append(f"<code>{escape(code)}</code>")
        elif bold:
            out.append(f"<strong>{_inline(bold, chip)}</strong>")
        elif gone:
            out.append(f'<del title="Not supported by the documents">{escape(gone)}</del>')
        else:
            out.append(JOIN[space] + chip(int(marker)))
        at = match.end()
    return "".join([*out, escape(text[at:])])


def welcome_html(assistant: Assistant) -> str:
    title, about = escape(assistant.title), escape(assistant.description)
    return (
        f'<div class="welcome"><h1{lang(title)}>{title}</h1><p{lang(about)}>{about}</p>'
        f'<p class="meta">{_about(assistant)}</p></div>'
    )


def choose_html(any_there: bool) -> str:
    empty = "<p>There is none yet. Make one with <code>ingest init NAME</code>, then add documents to it.</p>"
    return f'<div class="welcome"><h1>Which documents do you want to ask?</h1>{"" if any_there else empty}</div>'


def card_html(assistant: Assistant) -> str:
    title, about = escape(assistant.title), escape(assistant.description)
    return (
        f'<div class="card"><h2{lang(title)}>{title}</h2><p{lang(about)}>{about}</p>'
        f'<p class="meta">{_about(assistant)}</p></div>'
    )


def health_html(health: Health | None) -> str:
    """A dot and a few words: the model's name, or what is down. None: the gateway itself."""
    if health and health.model_up:
        return f'<div class="health" role="status">{escape(str(health.model.get("name", "")))}</div>'
    said = "Model is down<span>: answers quote the documents</span>" if health else "The gateway does not answer"
    return f'<div class="health down" role="status">{said}</div>'


def documents_html(assistant: Assistant, documents: Sequence[Document]) -> str:
    title = escape(assistant.title)
    count = _count(len(documents), "document")
    chunks = _count(sum(d.chunks for d in documents), "chunk")
    kinds = "PDF, Word, Markdown, HTML, CSV, text or source code"
    about = f"{count}, {chunks}" if documents else f"No documents yet. Add the first below: {kinds}."
    return f'<div class="welcome"><h1{lang(title)}>{title}</h1><p>{about}</p></div>'


def document_html(document: Document) -> str:
    title = document.title or document.document
    facts = [document.document] if title != document.document else []
    if document.pages:
        facts.append(_count(document.pages, "page"))
    facts += [_count(document.chunks, "chunk"), LANGUAGES.get(document.lang, document.lang), document.added[:10]]
    return (
        f'<div class="document"><b{lang(title)}>{escape(title)}</b>'
        f'<span class="meta">{escape(" · ".join(fact for fact in facts if fact))}</span></div>'
    )


def progress_html(name: str, line: str) -> str:
    return f'<div class="progress" role="status"><b>{escape(name)}</b><span>{escape(line)}</span></div>'


def attached_html(files: Sequence[Document], refused: Mapping[str, str]) -> str:
    """One quiet line with the files of a conversation; above it what was said of those `refused`, by name."""
    notices = "".join(notice_html("failed", f"{name} was not attached.", said) for name, said in refused.items())
    names = "".join(f'<b{lang(f.document)} title="{escape(f.document)}">{escape(f.document)}</b>' for f in files)
    line = f'<div class="meta" role="note"><span>Attached, searched in this conversation alone:</span>{names}</div>' if files else ""
    return f'<div class="attachments">{notices}{line}</div>'


def reading_html(name: str, seconds: float) -> str:
    """A file on its way into a conversation; as in `draft_html`, what is said where it is stopped is there from the start."""
    stopped = notice_html("stopped", "Stopped while a file was being read.", "It may be attached all the same.")
    return f'<div class="draft">{progress_html(name, f"being read, {seconds:.0f} s")}{stopped}</div>'


def _about(assistant: Assistant) -> str:
    languages = " and ".join(LANGUAGES.get(code, code) for code in assistant.languages)
    tuned = "tuned on feedback" if assistant.adapter else ""
    return escape(" · ".join(part for part in (_count(assistant.documents, "document"), languages, tuned) if part))


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
