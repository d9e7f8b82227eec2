"""The documents of one assistant: what is there, adding files and watching them being read, removing one."""

import time
from dataclasses import dataclass
from pathlib import PurePath

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.client import Gateway
from ui.markup import document_html, documents_html, label, notice_html, progress_html
from ui.replies import Assistant, Document, GatewayError, Job

ON_A_PAGE = 20
POLL_SECONDS = 0.5


@dataclass(slots=True)
class Upload:
    """A file on its way in: its job, none where the gateway refused it, and the last thing said of it."""

    corpus: str
    name: str
    job: Job | None = None
    line: str = ""

    @property
    def over(self) -> bool:
        return self.job is None or self.job.over


def show_documents(gateway: Gateway, assistant: Assistant) -> None:
    with st.container(key="documents"):
        documents = gateway.documents(assistant.id)
        st.html(documents_html(assistant, documents))
        _add(gateway, assistant)
        uploads = [upload for upload in _uploads() if upload.corpus == assistant.id]
        slots = [st.empty() for _ in uploads]
        if uploads and all(upload.over for upload in uploads):
            st.button("Clear these notes", type="tertiary", on_click=_clear, args=(assistant.id,))
        _list(gateway, assistant, documents)
    # Last, because following a job holds this run of the page until the job is over or its reader does something else.
    for upload, slot in zip(uploads, slots, strict=True):
        _show_upload(upload, slot)
    for upload, slot in zip(uploads, slots, strict=True):
        _follow(gateway, upload, slot)


def _uploads() -> list[Upload]:
    uploads: list[Upload] = st.session_state.setdefault("uploads", [])
    return uploads


def _add(gateway: Gateway, assistant: Assistant) -> None:
    # A new key empties the box once its files are on their way.
    batch = st.session_state.setdefault("upload_batch", 0)
    files = st.file_uploader("Add documents", accept_multiple_files=True, key=f"files-{assistant.id}-{batch}")
    if not files:
        return
    count = f"{len(files)} documents" if len(files) > 1 else "1 document"
    if st.button(f"Add {count} to {label(assistant.title)}", type="primary"):
        for file in files:
            _uploads().append(_send(gateway, assistant, file))
        st.session_state["upload_batch"] = batch + 1
        st.rerun()


def _send(gateway: Gateway, assistant: Assistant, file: UploadedFile) -> Upload:
    try:
        return Upload(assistant.id, file.name, gateway.upload(assistant.id, file.name, file), "waiting for its turn")
    except GatewayError as error:
        if error.status == 401:
            raise
        return Upload(assistant.id, file.name, line=error.sentence)


def _clear(corpus: str) -> None:
    st.session_state["uploads"] = [upload for upload in _uploads() if upload.corpus != corpus]


def _show_upload(upload: Upload, slot: DeltaGenerator) -> None:
    if not upload.over:
        slot.html(progress_html(upload.name, upload.line))
    elif upload.job and upload.job.status == "done":
        slot.html(notice_html("done", f"{upload.name} was read.", upload.line))
    else:
        slot.html(notice_html("failed", f"{upload.name} was not added.", upload.line))


def _follow(gateway: Gateway, upload: Upload, slot: DeltaGenerator) -> None:
    job, begun = upload.job, time.monotonic()
    if job is None or upload.over:
        return
    try:
        while not job.over:
            time.sleep(POLL_SECONDS)
            job = gateway.job(job.id)
            if job.status == "running":
                upload.line = f"being read, {time.monotonic() - begun:.0f} s"
                _show_upload(upload, slot)
        upload.line = _outcome(job, gateway.log(job.id))
        upload.job = job
    except GatewayError as error:
        slot.html(notice_html("failed", f"{upload.name} cannot be watched.", error.sentence))
        return
    st.rerun()


def _outcome(job: Job, log: list[str]) -> str:
    """What the job's log says of its file, without the path under which the gateway keeps it."""
    name = PurePath(job.command[-1]).name
    return next((said for line in log if (said := line.partition(name)[2].strip())), log[-1] if log else "")


def _list(gateway: Gateway, assistant: Assistant, documents: list[Document]) -> None:
    pages = -(-len(documents) // ON_A_PAGE)
    page = st.session_state.get(f"page-{assistant.id}", 1)
    first = (min(page, max(pages, 1)) - 1) * ON_A_PAGE
    for document in documents[first : first + ON_A_PAGE]:
        _row(gateway, assistant, document)
    if pages > 1:
        st.pagination(pages, key=f"page-{assistant.id}")


def _row(gateway: Gateway, assistant: Assistant, document: Document) -> None:
    key = f"{document.version}-{document.document}"  # one file under two names is one version
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"document-{key}"):
        st.html(document_html(document))
        with st.popover("Remove", type="tertiary"):
            st.write(f"Remove **{label(document.title or document.document)}**? Answers will no longer draw on it.")
            if st.button("Remove it", key=f"remove-{key}", type="primary"):
                try:
                    gateway.remove(assistant.id, document)
                except GatewayError as error:
                    if error.status == 401:
                        raise
                    st.html(notice_html("failed", "Not removed.", error.sentence))
                    return
                st.rerun()
