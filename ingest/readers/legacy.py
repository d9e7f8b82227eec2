"""Office files of before 2007 and of WPS: LibreOffice turns them into today's formats in a process of its own."""

import os
import shutil
import signal
import subprocess
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from corpora import UserError
from ingest.readers.writer import Writer
from ingest.readers.zips import OLE

SECONDS = 120
# Ending → the ending by which LibreOffice knows its bytes, the format asked of it, our reader of that, Debian's package.
KINDS = {
    **dict.fromkeys((".doc", ".wps"), (".doc", "docx", "word", "libreoffice-writer")),
    **dict.fromkeys((".xls", ".et"), (".xls", "xlsx", "sheets", "libreoffice-calc")),
    **dict.fromkeys((".ppt", ".dps"), (".ppt", "pptx", "slides", "libreoffice-impress")),
}
# No macro runs and nothing that a document links to is fetched, whatever the defaults are.
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution" oor:op="fuse">
<value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse">
<value>true</value></prop></item>
</oor:items>
"""


def read(path: Path, writer: Writer) -> None:
    ending, wanted, reader, package = KINDS[path.suffix.lower()]
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"PK\x03\x04"):  # a file of today's kind under an old name
        import_module(f"ingest.readers.{reader}").read(path, writer)
    elif head.lstrip().startswith(b"{\\rtf"):
        import_module("ingest.readers.rtf").read(path, writer)
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<html", b"<!doctype html")):
        import_module("ingest.readers.html").read(path, writer)
    elif not head.startswith((OLE, b"<?xml")):
        raise UserError(
            f"The file is damaged: it is no {path.suffix} file.", "Open and save it again in the program that made it."
        )
    else:
        with TemporaryDirectory(prefix="lectern-office-") as folder:
            made = convert(path, Path(folder), ending, wanted, package)
            import_module(f"ingest.readers.{reader}").read(made, writer)


def convert(path: Path, folder: Path, ending: str, wanted: str, package: str) -> Path:
    """The file in the format `wanted`, under `folder`. Raises `UserError` where LibreOffice is missing, slow or refuses."""
    soffice = shutil.which("soffice") or shutil.which("libreoffice")
    if soffice is None:
        raise UserError(
            f"Reading a {path.suffix} file needs LibreOffice, which is not installed.",
            f"apt install {package}, or save the file as .{wanted}.",
        )
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(SETTINGS)
    source = folder / f"document{ending}"
    shutil.copyfile(path, source)
    command = [soffice, "--headless", "--norestore", "--nolockcheck", "--nodefault", f"-env:UserInstallation={profile.as_uri()}",
               "--convert-to", wanted, "--outdir", str(folder / "made"), str(source)]  # fmt: skip
    if timeout := shutil.which("timeout"):  # holds to the limit even when this process is killed before it can
        command = [timeout, "--kill-after=5", str(SECONDS + 10), *command]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(
            f"LibreOffice did not open the file within {SECONDS} s.", f"Save it as .{wanted} yourself."
        ) from None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # the office is a child of the script that starts it
        except ProcessLookupError:
            pass
        process.wait()
    made = folder / "made" / f"document.{wanted}"
    if not made.is_file():
        raise UserError(
            "LibreOffice cannot open the file: it is damaged or has a password.", f"Save it as .{wanted} without one."
        )
    return made
