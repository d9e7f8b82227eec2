"""Files attached to a conversation: sent from the box of its question, named above it, searched in it alone."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.client import Gateway
from ui.markup import attached_html, reading_html
from ui.replies import Document, GatewayError
from ui.waiting import with_pauses

REDRAWN = 0.4  # seconds between two looks at whether the reader wants to stop


@dataclass(slots=True)
class Attached:
    """What is attached to one conversation. `files` is None where the gateway must be asked for them."""

    files: Sequence[Document] | None = ()
    refused: dict[str, str] = field(default_factory=dict)  # of those sent last: name → what the gateway said

    def has(self, version: str) -> bool:
        return any(file.version == version for file in self.files or ())


def attach(gateway: Gateway, conversation: str, attached: Attached, files: Sequence[UploadedFile], slot: DeltaGenerator) -> bool:
    """Send `files` one by one, with the one being read named in `slot`; returns whether all were taken.

    Where its reader stops it, the gateway still reads the file that it has.
    """
    attached.files = None
    name, begun = files[0].name, time.monotonic()
    for step in with_pauses(_send(gateway, conversation, files), REDRAWN):
        if step:
            (name, refused), begun = step, time.monotonic()
            if refused:
                attached.refused[name] = refused
        slot.html(reading_html(name, time.monotonic() - begun))
    _look(gateway, conversation, attached)
    return not attached.refused


def show_attached(gateway: Gateway, conversation: str, attached: Attached, slot: DeltaGenerator) -> None:
    _look(gateway, conversation, attached)
    slot.html(attached_html(attached.files or (), attached.refused))


def _look(gateway: Gateway, conversation: str, attached: Attached) -> None:
    if attached.files is None:
        try:
            attached.files = gateway.attached(conversation)
        except GatewayError as error:  # then it is asked again at the next look
            if error.status == 401:
                raise


def _send(gateway: Gateway, conversation: str, files: Sequence[UploadedFile]) -> Generator[tuple[str, str]]:
    """Each file's name when its turn comes, and again with the gateway's sentence where it is refused."""
    for file in files:
        yield file.name, ""
        try:
            gateway.attach(conversation, file.name, file)
        except GatewayError as error:
            if error.status == 401:
                raise
            yield file.name, error.sentence
