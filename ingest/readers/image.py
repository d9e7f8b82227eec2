"""Pictures of pages (PNG, JPEG, TIFF, BMP, WebP): their text by recognition; each frame of a TIFF is a page."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from corpora import UserError
from ingest.readers.ocr import MAX_SIDE, read_image
from ingest.readers.pdf_running import without_running
from ingest.readers.pdf_text import PageText
from ingest.readers.pdf_write import write_pages
from ingest.readers.writer import Writer

MAX_PIXELS = 100_000_000  # of one image: an A3 page at 600 dots an inch has 70 million
MAX_PAGES = 500
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
WIDTH = 595.0  # points that the shorter side is taken to have, as of A4: pixels say little of an image's size


def read(path: Path, writer: Writer) -> None:
    """Raises `UserError` for an image that is damaged or too large, or where text is not to be recognised."""
    if writer.ocr == "never":
        raise UserError("An image has only text that must be recognised.", "Add it with --ocr auto.")
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns from half its own limit on; ours is checked below
                with Image.open(file, formats=FORMATS) as image:
                    pages = _pages(image, writer)
        except Image.DecompressionBombError:
            raise UserError(f"The image has over {MAX_PIXELS:,} pixels.", "Save it smaller, or cut it up.") from None
        except (OSError, SyntaxError, ValueError):
            raise UserError("The image is damaged or not what its name says.", "Save it again as PNG.") from None
    writer.pages = len(pages)
    writer.note("running headers and footers left out", without_running(pages))
    write_pages(pages, {}, writer)


def _pages(image: Image.Image, writer: Writer) -> list[PageText]:
    frames = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if frames > MAX_PAGES:
        raise UserError(f"The image has {frames} pages, over the limit of {MAX_PAGES}.", "Split it.")
    pages = []
    for number, frame in enumerate(ImageSequence.Iterator(image)):
        if number >= frames:
            break
        writer.alive(number + 1)
        wide, high = frame.size
        if wide * high > MAX_PIXELS:
            raise UserError(
                f"The image has {wide * high:,} pixels, over the limit of {MAX_PIXELS:,}.",
                "Save it smaller, or cut it up.",
            )
        pixels = _pixels(frame)
        page = read_image(pixels, WIDTH / min(pixels.shape[:2]))
        writer.note("pages read by text recognition")
        writer.note("unsure places left out of text recognition", page.unsure)
        pages.append(page)
    return pages


def _pixels(frame: Image.Image) -> np.ndarray:
    """RGB, turned as the camera says, transparent parts white, no larger than what recognition reads."""
    frame.draft("RGB", (MAX_SIDE, MAX_SIDE))
    image = ImageOps.exif_transpose(frame)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = _eight_bits(image).convert("RGB")
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of more than 8 bits a pixel, scaled: Pillow's own conversion would cut it to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float32)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1))).astype(np.uint8))
