"""Text recognition: an image of a page in, its lines out, whichever way the page lies and whatever is stamped over it.

RapidOCR with the PP-OCRv6 models of its own package (Chinese and English); nothing is fetched.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from corpora import UserError
from ingest.readers.pdf_characters import Line
from ingest.readers.pdf_text import PageText

DPI = 200  # at which a page is drawn
MAX_SIDE = 2400  # pixels of the image that is read; a larger one is made smaller
DETECT_SIDE = 1216  # pixels of the image in which lines are looked for: half the time of the full one, the same lines
THREADS = 2  # of one process; several may read at once. Each takes lines of its own: threads within a model wait in a busy loop
LEAST = 6  # pixels that a line is high; a thread of an image would be blown up to gigabytes to find lines in it
SURE = 0.6  # confidence from which a line is believed
SAMPLE = 8  # lines asked whether they stand on their head
TALL = 1.5  # times as high as wide: a line that stands upright
LARGER = 1.35  # times the usual size of the page: a title
MAX_RED = 400  # red spots of a page that are looked at
BODY = 0.9  # of a detected box's height is the size of its type


@cache
def _engine() -> Any:
    """Loaded when the first page needs it, once in a process: 0.3 s and 150 MB."""
    import cv2
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    params = {
        "Global.log_level": "error",
        "Global.use_cls": False,
        "Global.max_side_len": MAX_SIDE,
        "Det.limit_type": "max",
        "Det.limit_side_len": DETECT_SIDE,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    for part in ("det", "cls", "rec"):
        model = next(models.glob(f"*_{part}_*.onnx"), None)
        if model is None:  # or the library would try to fetch it
            raise UserError("Text recognition has no models.", "pip install --force-reinstall rapidocr")
        params[f"{part.title()}.model_path"] = str(model)
    cv2.setNumThreads(1)
    return rapidocr.RapidOCR(params=params)


def read_page(page: Any) -> PageText:
    """The lines of an open `PdfPage`, recognised from its image, in points."""
    width, height = page.get_size()
    scale = min(DPI / 72, MAX_SIDE / max(width, height, 1))
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=True)
    try:
        image = bitmap.to_numpy()[:, :, :3].copy()
    finally:
        bitmap.close()
    return read_image(image, 1 / scale)


def read_image(image: np.ndarray, points: float) -> PageText:
    """The lines of an RGB image, `points` to a pixel."""
    high, wide = image.shape[:2]
    if min(high, wide) < LEAST:
        return PageText([], [], 0, 0, True, wide * points, high * points)
    image = without_seals(image)
    image, boxes = _find(image)
    lines: list[Line] = []
    unsure = 0
    if len(boxes):
        for box, (text, score) in zip(boxes, _said(_engine().crop_text_regions(image, boxes)), strict=True):
            if not text.strip():
                continue
            if score < SURE:
                unsure += 1
                continue
            left, top = box.min(axis=0) * points
            right, bottom = box.max(axis=0) * points
            high = float(np.linalg.norm(box[3] - box[0])) * points
            lines.append(Line(text.strip(), float(left), float(top), float(right), float(bottom), BODY * high))
    lines = _level(_rows(lines))
    high, wide = image.shape[:2]
    letters = sum(len("".join(line.text.split())) for line in lines)
    return PageText(lines, [], 0, letters, True, wide * points, high * points, True, unsure)


def _said(crops: list[np.ndarray]) -> list[tuple[str, float]]:
    """What each picture of a line says, and how sure that is."""
    engine = _engine()
    parts = [crops[n::THREADS] for n in range(THREADS) if crops[n::THREADS]]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(engine.recognize_txt, parts))
    said = [("", 0.0)] * len(crops)
    for n, part in enumerate(found):
        said[n::THREADS] = list(zip(part.txts, map(float, part.scores), strict=True))
    return said


def _find(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image turned so that its text can be read, and the four corners of each of its lines."""
    boxes = _boxes(image)
    if not len(boxes):
        return image, boxes
    wide = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
    high = np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)
    standing = high > TALL * wide
    if (wide * high)[standing].sum() > 0.5 * (wide * high).sum():
        image = np.ascontiguousarray(np.rot90(image))
        boxes = _boxes(image)
        if not len(boxes):
            return image, boxes
        wide = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
    longest = np.argsort(-wide)[:SAMPLE]
    engine = _engine()
    _, turned = engine.cls_and_rotate(engine.crop_text_regions(image, boxes[longest]))
    if sum(label == "180" for label, _ in turned.cls_res) > len(longest) / 2:
        image = np.ascontiguousarray(np.rot90(image, 2))
        boxes = _boxes(image)
    return image, boxes


def _boxes(image: np.ndarray) -> np.ndarray:
    found = _engine()(image, use_det=True, use_cls=False, use_rec=False).boxes
    return np.asarray(found, dtype=np.float32) if found is not None else np.zeros((0, 4, 2), dtype=np.float32)


def _rows(lines: list[Line]) -> list[Line]:
    """Lines from top to bottom; those side by side are pieces of one row."""
    ordered: list[list[Line]] = []
    for line in sorted(lines, key=lambda x: (x.top + x.bottom) / 2):
        middle = (line.top + line.bottom) / 2
        row = ordered[-1] if ordered else []
        if row and middle < sum((x.top + x.bottom) / 2 for x in row) / len(row) + 0.4 * line.height:
            row.append(line)
        else:
            ordered.append([line])
    for number, row in enumerate(ordered):
        row.sort(key=lambda x: x.left)
        for line in row:
            line.row = number
    return [line for row in ordered for line in row]


def _level(lines: list[Line]) -> list[Line]:
    """One size for the body: boxes around the same type differ by some pixels, and only much larger type says something."""
    usual = median(line.size for line in lines) if lines else 0.0
    for line in lines:
        larger = line.size > LARGER * usual and line.right - line.left > 2 * line.size
        line.size = round(line.size if larger else usual, 1)
    return lines


def without_seals(image: np.ndarray) -> np.ndarray:
    """The image with red seals taken away; red letters stay, and so does black text under a seal.

    A seal is about as high as wide, larger than a letter and no part of a line of letters. Where it lies, only the red
    channel is kept: red is white in it, black is black.
    """
    import cv2

    red, green, blue = (image[:, :, c].astype(np.int16) for c in range(3))
    mask = ((red > 110) & (red - green > 45) & (red - blue > 45)).astype(np.uint8)
    if mask.mean() < 0.0005:
        return image
    side = min(image.shape[:2])
    reach = max(3, side // 80) | 1
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    parts = [tuple(int(n) for n in part[:4]) for part in stats[1:count] if max(part[2], part[3]) > 0.02 * side][
        :MAX_RED
    ]
    out = image
    for left, top, wide, high in parts:
        if min(wide, high) < 0.08 * side or not 0.5 < wide / high < 2 or _in_a_line((left, top, wide, high), parts):
            continue
        if out is image:
            out = image.copy()
        area = out[max(0, top - 3) : top + high + 3, max(0, left - 3) : left + wide + 3]
        area[:] = area[:, :, :1]
        area[area > 120] = 255
    return out


def _in_a_line(part: tuple[int, ...], parts: list[tuple[int, ...]]) -> bool:
    """Do two more of its height, or more, stand close beside it, as letters do?"""
    left, top, wide, high = part
    beside = 0
    for x, y, w, h in parts:
        gap = max(x - left - wide, left - x - w)
        level = min(y + h, top + high) - max(y, top) > 0.6 * max(h, high)
        beside += level and 0 <= gap < 2.5 * high
    return beside >= 2
