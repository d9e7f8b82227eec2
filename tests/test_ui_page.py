"""The page in a real browser against the running stack: sign in, ask, open a citation, correct, upload; nothing goes outside."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, FilePayload, Page, Request, expect, sync_playwright
from reportlab.pdfgen.canvas import Canvas

from serve.journal import Journal
from tests.conftest import cache_lock, copy, environment, free_ports, small_index
from tests.echo import echo
from tests.hostile_gateway import NAME, OUTSIDE, WORDS, hostile_gateway

ROOT = Path(__file__).parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
QUESTION = "What does fault code SC-A04 on the SC-40 compressor mean?"
ANSWER_MS = 180_000  # a small model on a busy machine

# Keeps in `window.drafts` what stood on the page while an answer was still coming.
WATCH = """new MutationObserver(() => {
  const draft = document.querySelector('.draft .answer');
  if (draft) (window.drafts ??= []).push(draft.innerText);
}).observe(document, { subtree: true, childList: true, characterData: true })"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "no Chromium on this machine: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab that fails its test if it asks anybody but the page's own server for anything, or if a script breaks."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    page = context.new_page()
    own = re.compile(r"(?:(?:http|ws)://127\.0\.0\.1:\d+/|data:|blob:)")
    outside: list[str] = []
    broken: list[str] = []

    def watch(sent: Request) -> None:
        if not own.match(sent.url):
            outside.append(sent.url)

    page.on("request", watch)
    page.on("websocket", lambda socket: None if own.match(socket.url) else outside.append(socket.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.add_init_script(WATCH)
    yield page
    context.close()
    assert not outside
    assert not broken


def sign_in(page: Page, stack: Any) -> None:
    link = stack.command("serve", "key", "link").stdout.strip()
    assert link.startswith(f"{stack.page}/?token=")
    page.goto(link)
    expect(page.get_by_role("heading", name="Which documents do you want to ask?")).to_be_visible(timeout=60_000)
    assert "token" not in page.url


def sign_in_by_key(page: Page, url: str, key: str) -> None:
    page.goto(url)
    page.get_by_placeholder("Paste your key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def choose(page: Page, title: str) -> None:
    page.get_by_role("button", name=f"Ask {title}").click()
    expect(page.get_by_placeholder(f"Ask {title}")).to_be_visible()


def ask(page: Page, question: str) -> None:
    box = page.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    box.press("Enter")
    expect(page.locator(".question").last).to_have_text(question)


def send(page: Page, question: str, **files: bytes) -> None:
    """Send files, and a question with them where there is one; a dot of a name is written as two underscores."""
    payloads = [FilePayload(name=n.replace("__", "."), mimeType="application/octet-stream", buffer=b) for n, b in files.items()]
    chat = page.get_by_test_id("stChatInput")
    chat.locator("input[type=file]").set_input_files(payloads)
    box = chat.get_by_test_id("stChatInputTextArea")
    box.fill(question)
    expect(chat.get_by_test_id("stChatInputSubmitButton")).to_be_enabled()
    box.press("Enter")


def answered(page: Page, number: int) -> None:
    """Wait for the answer to question `number`, counted from 0."""
    expect(page.locator(f".st-key-rating-{number}")).to_be_visible(timeout=ANSWER_MS)


def test_ask_watch_open_and_correct(page: Page, stack: Any) -> None:
    journal = Journal(stack.home)
    sign_in(page, stack)
    for title in ("Plant maintenance", "Contracts and policies", "Code and conventions", "公文写作"):
        expect(page.locator(".card h2", has_text=title)).to_be_visible()
    choose(page, "Plant maintenance")

    page.get_by_role("button", name=QUESTION).click()
    answered(page, 0)
    (trace,) = journal.traces("maintenance", limit=1)
    assert trace.question == QUESTION
    shown = page.locator(".answer").inner_text()
    for word in re.sub(r"\[\d+\]", "", trace.answer.answer).split():
        assert word in shown
    if trace.answer.mode == "extractive":
        expect(page.locator(".notice.quoted")).to_contain_text(trace.answer.notice)

    rows = page.locator(".citations li")
    expect(rows).to_have_count(len(trace.answer.citations))
    for row, citation in zip(rows.all(), trace.answer.citations, strict=True):
        expect(row.locator(".where")).to_contain_text(citation.document)
        by = {"model": "cited by the model", "attached": "attached by Lectern"}[citation.by]
        expect(row.locator(".tags")).to_contain_text("word for word" if trace.answer.mode == "extractive" else by)
        assert " ".join(citation.quote.split())[:60] in row.locator("q").inner_text()

    page.locator(".answer button.chip").first.click()
    first = next(c for c in trace.answer.citations if str(c.marker) == page.locator(".answer button.chip").first.inner_text())
    mark = page.locator(".passage mark")
    expect(mark).to_be_in_viewport()
    assert mark.inner_text().split() == first.quote.split()
    expect(page.locator(".answer button.chip").first).to_have_attribute("aria-pressed", "true")
    beside, text = page.locator(".st-key-passage").bounding_box(), page.locator(".answer").bounding_box()
    assert beside and text and beside["x"] >= text["x"] + text["width"], "the passage stands beside the conversation"
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".st-key-passage")).to_have_count(0)

    page.locator(".st-key-rating-0 button").last.click()
    page.get_by_text("The assistant may learn from this").click()
    page.get_by_label("What should the answer have been?").fill("The fan motor drew too much current.")
    page.get_by_role("button", name="Send correction").click()
    expect(page.get_by_text("Your correction is kept for the next training.")).to_be_visible()
    kept = [f for f, t in journal.feedback("maintenance") if t.id == trace.id]
    assert kept and all(f.score == -1 and f.learn for f in kept)
    assert [f.correction for f in kept if f.correction] == ["The fan motor drew too much current."]

    ask(page, "And how is it cleared?")
    answered(page, 1)
    (follow_up,) = journal.traces("maintenance", limit=1)
    assert "SC-A04" in follow_up.standalone, "the conversation goes along with the question"
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".question")).to_have_count(0)


def test_citation_of_a_pdf_opens_as_a_picture_of_its_page(page: Page, stack: Any) -> None:
    sign_in(page, stack)
    choose(page, "Plant maintenance")
    ask(page, "What does fault code SC-A04 mean?")
    answered(page, 0)
    page.locator(".citations button", has_text="sc-40-screw-compressor-manual.pdf").first.click()
    expect(page.locator(".passage mark")).to_be_visible()
    page.locator(".st-key-passage").get_by_text(re.compile(r"^Page \d+$")).click()
    picture = page.locator(".st-key-page-image img")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.st-key-page-image img').naturalWidth > 600")


def test_answer_can_be_stopped_and_asked_again(page: Page, stack: Any) -> None:
    sign_in(page, stack)
    choose(page, "Plant maintenance")
    ask(page, QUESTION)
    page.get_by_test_id("stChatInputStopButton").click()
    expect(page.locator(".notice.stopped")).to_be_visible()
    expect(page.locator(".waiting")).not_to_be_visible()
    ask(page, "What is checked every week?")
    answered(page, 1)
    expect(page.locator(".notice.stopped")).to_be_visible()
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".question").last).to_have_text(QUESTION)
    answered(page, 1)
    expect(page.locator(".notice.stopped")).to_have_count(0)


def test_chinese_is_asked_and_refused_in_chinese(page: Page, stack: Any) -> None:
    sign_in(page, stack)
    choose(page, "公文写作")
    page.get_by_role("button", name="附件多少面可以单独成册？").click()
    answered(page, 0)
    expect(page.locator(".notice.quoted")).to_contain_text("中文")
    expect(page.locator(".citations button").first).to_be_visible()
    assert page.locator(".answer").first.get_attribute("lang") == "zh-Hans"
    ask(page, "巴西足球队昨天的比分是多少？")
    answered(page, 1)
    expect(page.locator(".notice.refused")).to_be_visible()


def test_upload_with_hostile_text_shows_it_and_fetches_nothing(page: Page, stack: Any) -> None:
    hostile = f'<img src="{OUTSIDE}/a.png"> ![x]({OUTSIDE}/b.png) [y]({OUTSIDE}/c) <script>document.title="mine"</script>'
    name = f"![z](x) qx-9 {time.time_ns()}.txt"
    sign_in(page, stack)
    choose(page, "Contracts and policies")
    page.get_by_text("Documents", exact=True).click()
    page.get_by_text("Add documents").wait_for()
    # In Chinese, which the small model does not read: the answer quotes, so that the text comes back as it stands.
    text = f"{hostile} 合同\n\n搅拌机 QX-9 的租赁费用 {hostile} 为每月七十七克朗。\n"
    files = [(name, text), ("tool.exe", "MZ")]
    payloads = [FilePayload(name=n, mimeType="text/plain", buffer=text.encode()) for n, text in files]
    page.locator("input[type=file]").set_input_files(payloads)
    page.get_by_role("button", name="Add 2 documents").click()
    expect(page.locator(".notice.failed")).to_contain_text("No reader for a file called 'tool.exe'")
    expect(page.locator(".progress")).to_contain_text("qx-9")
    expect(page.locator(".notice.done")).to_contain_text("was read", timeout=ANSWER_MS)

    page.get_by_text("Ask", exact=True).click()
    ask(page, "搅拌机 QX-9 的租赁费用是每月多少克朗？")
    answered(page, 0)
    page.locator(".citations button", has_text="qx-9").first.click()
    expect(page.locator(".passage")).to_contain_text(f'<img src="{OUTSIDE}/a.png"> ![x]({OUTSIDE}/b.png)')
    expect(page.locator(".answer").first).to_contain_text("![x]")
    ask(page, f"搅拌机 {hostile}")
    answered(page, 1)
    assert page.title() == "Lectern"
    assert page.locator('[src*="203.0.113"], [href*="203.0.113"]').count() == 0

    expect(page.locator(".st-key-passage")).to_have_count(0)  # it stood behind the answer before
    page.get_by_text("Documents", exact=True).click()
    document = page.locator("[class*=st-key-document-]", has_text="qx-9")
    document.wait_for()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")  # what opens meanwhile closes again
    document.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(document).to_have_count(0)
    assert page.locator('[src*="203.0.113"], [href*="203.0.113"]').count() == 0


def test_narrow_window_shows_an_open_citation_over_the_conversation(page: Page, stack: Any) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    sign_in(page, stack)
    choose(page, "Plant maintenance")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    ask(page, QUESTION)
    answered(page, 0)
    page.locator(".citations button").first.click()
    expect(page.locator(".passage mark")).to_be_in_viewport()
    box = page.locator(".st-key-passage").bounding_box()
    assert box and (box["x"], box["width"]) == (0, 400)


def test_used_link_and_wrong_key_say_what_to_do(page: Page, stack: Any) -> None:
    link = stack.command("serve", "key", "link").stdout.strip()
    httpx.post(f"{stack.api}/v1/sign-in", json={"token": link.partition("token=")[2]}).raise_for_status()
    page.goto(link)
    expect(page.locator(".notice.failed")).to_contain_text("serve key link", timeout=60_000)
    page.get_by_placeholder("Paste your key").fill("not-a-key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".notice.failed")).to_contain_text("serve key create")
    page.get_by_placeholder("Paste your key").fill(stack.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Which documents do you want to ask?")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_placeholder("Paste your key")).to_have_value("")


@contextmanager
def started(module: list[str], env: dict[str, str], health: str) -> Iterator[None]:
    """`python -m MODULE` until it answers at `health`, and ended afterwards."""
    process = subprocess.Popen([sys.executable, "-m", *module], env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 90
    try:
        while True:
            assert process.poll() is None and time.monotonic() < until, f"{module} did not start"
            try:
                httpx.get(health).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.3)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def page_of(gateway: str) -> Iterator[str]:
    """Streamlit with `gateway` behind it."""
    (port,) = free_ports(1)
    env = {**os.environ, "LECTERN_API_URL": gateway, "PYTHONPATH": str(ROOT)}
    module = ["streamlit", "run", "ui/app.py", "--server.address", "127.0.0.1", "--server.port", str(port)]
    with started(module, env, f"http://127.0.0.1:{port}/_stcore/health"):
        yield f"http://127.0.0.1:{port}"


def test_an_answer_is_seen_as_it_comes(page: Page, tmp_path: Path) -> None:
    """With the words of a model so slow that there is something to see; the gateway and the page are real."""
    words = "SC-A04 is a fan motor overload. [1] The duct is blocked or the bearing seized. [1]"
    musing = "A code. Is it the moon, ![](http://203.0.113.9/m.png) or <b>the fan</b> [1]?"
    with cache_lock():
        copy(small_index(), tmp_path)
    (port,) = free_ports(1)
    env = environment(tmp_path) | {"LECTERN_API_PORT": str(port)}
    gateway = f"http://127.0.0.1:{port}"
    api = started(["serve", "api"], env, f"{gateway}/health")
    with echo(words, pause=0.15, thinking=musing) as (model, _), api, page_of(gateway) as url:
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / "vllm.url").write_text(model)
        sign_in_by_key(page, url, Journal(tmp_path).local_key())
        choose(page, "Plant maintenance")
        ask(page, QUESTION)
        answered(page, 0)
        drafts = page.evaluate("window.drafts")
        assert drafts and "fan motor overload" in drafts[0] and "bearing" not in drafts[0], "the first sentence stood alone"
        assert "bearing seized" in page.locator(".answer").inner_text()
        assert not any("moon" in text for text in [*drafts, page.locator(".answer").inner_text()])
        thinking = page.get_by_text(musing, exact=True)
        expect(thinking).to_be_hidden()  # folded away, and when it is opened, not read as markup
        page.get_by_text("Thinking", exact=True).click()
        expect(thinking).to_be_visible()


@pytest.mark.parametrize("mode", ["model", "extractive"])
def test_hostile_words_are_shown_and_load_nothing(page: Page, tmp_path: Path, mode: str) -> None:
    """Everything that the gateway says is an attack: each request stays with the page's own server, and nothing can be clicked away to."""
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    with hostile_gateway(mode) as gateway, page_of(gateway) as url:
        sign_in_by_key(page, url, "any")
        choose(page, "Hostile")
        ask(page, f"What is {WORDS}"[:500])
        answered(page, 0)
        page.locator(".answer button.chip").first.click()
        expect(page.locator(".passage mark")).to_be_visible()
        for text in (".answer", ".passage"):
            expect(page.locator(text)).to_contain_text("![picture](")
            expect(page.locator(text)).to_contain_text("<iframe src=")
            assert page.locator(f"{text} :is(a, img, svg, iframe, form, style, link, script, base, meta)").count() == 0
        expect(page.locator(".attachments b")).to_have_text([NAME])
        assert page.locator(".attachments :is(a, img, svg, iframe, form, style, link, script, base, meta)").count() == 0
        page.screenshot(path=tmp_path / f"hostile-{mode}.png", full_page=True)
        page.get_by_text("Documents", exact=True).click()
        page.locator("[class*=st-key-document-]").first.wait_for()
        assert page.evaluate("window.pwned") is None and page.url.startswith(url)
        assert page.locator('[src*="203.0.113"], [href*="203.0.113"]').count() == 0
    assert asked and all(re.match(rf"{re.escape(url)}/|data:|blob:{re.escape(url)}/", sent) for sent in asked), asked


def test_an_earlier_conversation_is_reopened_gone_on_with_and_deleted(page: Page, tmp_path: Path) -> None:
    """No model runs: the answers are quoted, which is all that this needs."""
    with cache_lock():
        copy(small_index(), tmp_path)
    (port,) = free_ports(1)
    env = environment(tmp_path) | {"LECTERN_API_PORT": str(port), "LECTERN_VLLM_PORT": "1"}
    gateway, journal = f"http://127.0.0.1:{port}", Journal(tmp_path)
    other = "How often is the oil of the SC-40 changed?"
    with started(["serve", "api"], env, f"{gateway}/health"), page_of(gateway) as url:
        sign_in_by_key(page, url, journal.local_key())
        choose(page, "Plant maintenance")
        ask(page, QUESTION)
        answered(page, 0)
        ask(page, "And SC-A05?")
        answered(page, 1)
        page.get_by_role("button", name="New conversation").click()
        expect(page.locator(".question")).to_have_count(0)
        ask(page, other)
        answered(page, 0)
        rows = page.locator("[class*=st-key-conversation-]")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text(other)

        rows.last.get_by_role("button", name=QUESTION).click()
        expect(page.locator(".question").first).to_have_text(QUESTION)
        expect(page.locator(".question")).to_have_count(2)
        ask(page, "And SC-A06?")
        answered(page, 2)
        (trace,) = journal.traces("maintenance", limit=1)
        assert trace.standalone == "What does fault code SC-A06 on the SC-40 compressor mean?"
        assert [c.turns for c in journal.conversations(trace.key)] == [1, 3], "it goes on under its own id"

        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        rows.last.get_by_role("button").last.click()
        page.get_by_role("button", name="Delete it").click()
        expect(rows).to_have_count(1)
        expect(page.locator(".question")).to_have_count(0)
        assert [c.question for c in journal.conversations(trace.key)] == [other]


def test_a_file_is_attached_cited_and_stays_with_its_conversation(page: Page, tmp_path: Path) -> None:
    """No model runs: the answers are quoted."""
    with cache_lock():
        copy(small_index(), tmp_path)
    (port,) = free_ports(1)
    env = environment(tmp_path) | {"LECTERN_API_PORT": str(port), "LECTERN_VLLM_PORT": "1"}
    gateway, journal, folder = f"http://127.0.0.1:{port}", Journal(tmp_path), tmp_path / "attached"
    question, fact = "To how many bar is the Quillfeather valve set?", "The Quillfeather valve is set to 7 bar at the works."
    sheet = io.BytesIO()
    canvas = Canvas(sheet)
    canvas.drawString(72, 700, fact)
    canvas.save()
    names, refused = page.locator(".attachments b"), page.locator(".notice.failed")
    cited = page.locator(".citations button", has_text="valve.pdf")
    with started(["serve", "api"], env, f"{gateway}/health"), page_of(gateway) as url:
        sign_in_by_key(page, url, journal.local_key())
        choose(page, "Plant maintenance")
        send(page, question, tool__exe=b"MZ", valve__pdf=sheet.getvalue())
        expect(refused).to_contain_text("No reader for a file called 'tool.exe'")
        expect(names).to_have_text(["valve.pdf"])
        expect(page.locator(".question")).to_have_count(0)
        box = page.get_by_test_id("stChatInputTextArea")
        expect(box).to_have_value(question)
        box.press("Enter")
        answered(page, 0)
        expect(refused).to_have_count(0)
        cited.click()
        expect(page.locator(".passage mark")).to_have_text(fact)
        page.get_by_text("Page 1", exact=True).click()
        page.wait_for_function("document.querySelector('.st-key-page-image img')?.naturalWidth > 600")
        page.locator(".st-key-rating-0 button").last.click()
        page.get_by_label("What should the answer have been?").fill("To 7 bar.")
        page.get_by_role("button", name="Send correction").click()
        expect(page.get_by_text("Thank you. Your correction is kept.", exact=True)).to_be_visible()
        expect(page.get_by_text("The assistant may learn from this")).to_have_count(0)

        page.get_by_role("button", name="New conversation").click()
        expect(page.locator(".question")).to_have_count(0)
        expect(names).to_have_count(0)
        ask(page, question)
        answered(page, 0)
        expect(cited).to_have_count(0)

        sign_in_by_key(page, url, journal.local_key())  # a tab of its own, as after a reload: it knows nothing yet
        choose(page, "Plant maintenance")
        rows = page.locator("[class*=st-key-conversation-]")
        rows.last.get_by_role("button", name=question).click()
        expect(names).to_have_text(["valve.pdf"])
        cited.click()
        expect(page.locator(".passage mark")).to_have_text(fact)
        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.locator(".st-key-passage")).to_have_count(0)
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        assert len(list(folder.iterdir())) == 1
        rows.last.get_by_role("button").last.click()
        page.get_by_role("button", name="Delete it").click()
        expect(rows).to_have_count(1)
        expect(names).to_have_count(0)
        assert not list(folder.iterdir())

        send(page, "", note__md=b"# Note\n\nThe gate is painted green.")
        expect(names).to_have_text(["note.md"])
        expect(page.locator(".question")).to_have_count(0)
        page.get_by_role("button", name="New conversation").click()
        expect(names).to_have_count(0)
        assert not list(folder.iterdir()), "where nothing was asked there is no conversation to delete it with"


@pytest.fixture
def lonely() -> Iterator[str]:
    """Streamlit with a gateway that is not there."""
    with page_of("http://127.0.0.1:9") as url:
        yield url


def test_gateway_that_is_down_is_a_sentence(page: Page, lonely: str) -> None:
    page.goto(lonely)
    page.get_by_placeholder("Paste your key").fill("any")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".notice.failed")).to_contain_text("does not answer. Start it with: make up", timeout=60_000)
