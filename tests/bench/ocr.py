"""Text recognition on scans made here, Chinese and English, noisy, askew and sealed: characters wrong, pages a second.

Run: python -m tests.bench.ocr
Each page is drawn at 200 dots an inch from known sentences, turned by up to one degree, blurred and sprinkled with noise; on every
second one a red seal is stamped over the text. The named alternative is RapidOCR as its own documentation calls it, its lines joined.
"""

import random
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from corpora import UserError
from ingest.readers import read
from tests.bench import report

PAGES = 2  # of each language, with and without a seal
SIZE = (1240, 1100)  # pixels; two thirds of an A4 page, so that the bench ends in two minutes
FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
ENGLISH = (
    "The separator tank and the oil circuit stay pressurised for up to two minutes after a stop. Before opening the oil filler, read "
    "the gauge. Replace cartridge 40-1038 every 4000 hours or when the differential pressure exceeds 0.8 bar. Tighten the cover "
    "crosswise to 190 Nm in two passes. The tenant shall pay the rent on the fifth day of each month; a delay of more than 15 days "
    "entitles the landlord to terminate this agreement with 30 days of notice. Invoices of 12,450.00 are due within 60 days. "
)
CHINESE = (
    "设备每三个月检查一次，并将检查结果记录在案，保存期不少于三年。甲方应当在收到发票之日起十五个工作日内支付合同价款的百分之三十，"
    "逾期付款的，每逾期一日按未付金额的万分之五支付违约金。本合同自双方签字盖章之日起生效，有效期至2026年12月31日。"
    "油气分离器滤芯每4000小时更换一次，压差超过0.8兆帕时应当立即停机检查。各单位要高度重视安全生产工作，严格落实主体责任。"
)


def chinese_font() -> str:
    for path in FONTS:
        if Path(path).exists():
            return path
    raise UserError("This machine has no Chinese font.", "apt-get install fonts-noto-cjk")


def scan(language: str, seed: int, sealed: bool) -> tuple[Image.Image, str]:
    """A page and what it says."""
    r = random.Random(seed)
    text = CHINESE if language == "zh" else ENGLISH
    shift = r.randrange(len(text))
    text = text[shift:] + text[:shift]
    font = ImageFont.truetype(chinese_font(), 30)
    page = Image.new("RGB", SIZE, (252, 251, 247))
    draw = ImageDraw.Draw(page)
    said, at = [], 0
    for n in range(18):
        end = at
        while end < len(text) and draw.textlength(text[at : end + 1], font) < SIZE[0] - 200:
            end += 1
        if language == "en" and end < len(text):
            end = text.rfind(" ", at, end) + 1 or end
        said.append(text[at:end])
        draw.text((100, 90 + 52 * n), text[at:end], fill=(25, 25, 30), font=font)
        at = end if end < len(text) else 0
    if sealed:
        page = ImageChops.multiply(page, _seal(r))
    page = page.rotate(r.uniform(-1, 1), Image.Resampling.BICUBIC, fillcolor=(252, 251, 247))
    page = page.filter(ImageFilter.GaussianBlur(0.6))
    noise = np.random.default_rng(seed).normal(0, 9, (SIZE[1], SIZE[0], 1))
    pixels = np.clip(np.asarray(page, np.float32) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), "".join(said)


def _seal(r: random.Random) -> Image.Image:
    """A round red stamp of 42 mm somewhere over the text."""
    layer = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(layer)
    x, y = r.randrange(250, 700), r.randrange(200, 600)
    red = (222, 48, 52)
    draw.ellipse((x, y, x + 330, y + 330), outline=red, width=9)
    draw.text((x + 45, y + 60), "衡川机械有限公司"[:5], fill=red, font=ImageFont.truetype(chinese_font(), 48))
    draw.text((x + 130, y + 130), "★", fill=red, font=ImageFont.truetype(chinese_font(), 80))
    draw.text((x + 70, y + 240), "合同专用章", fill=red, font=ImageFont.truetype(chinese_font(), 38))
    return layer


def distance(a: str, b: str) -> int:
    """How many characters must be put in, taken out or exchanged to make `b` of `a`."""
    row = np.arange(len(b) + 1)
    letters = np.frombuffer(b.encode("utf-32-le"), np.uint32)
    for i, character in enumerate(a, 1):
        change = row[:-1] + (letters != ord(character))
        drop = row[1:] + 1
        best = np.concatenate(([i], np.minimum(change, drop)))
        row = np.minimum.accumulate(best - np.arange(len(b) + 1)) + np.arange(len(b) + 1)
    return int(row[-1])


def bare(text: str) -> str:
    return "".join(text.split()).translate(str.maketrans("，；：（）", ",;:()"))


def main() -> None:
    from rapidocr import RapidOCR

    plain = RapidOCR(params={"Global.log_level": "error"})
    wrong: dict[str, list[float]] = {}
    seconds = {"ours": 0.0, "rapidocr": 0.0}
    pages = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.png"
        Image.new("RGB", (200, 100), "white").save(path)
        for warm in (lambda: read(path), lambda: plain(str(path))):
            try:
                warm()
            except UserError:
                pass  # nothing to read; the models are loaded
        for language in ("zh", "en"):
            for sealed in (False, True):
                for seed in range(PAGES):
                    image, said = scan(language, seed, sealed)
                    image.save(path)
                    kind = f"{language}{' sealed' if sealed else ''}"
                    start = time.perf_counter()
                    ours = read(path).text
                    middle = time.perf_counter()
                    theirs = "".join(plain(str(path)).txts or ())
                    seconds["ours"] += middle - start
                    seconds["rapidocr"] += time.perf_counter() - middle
                    pages += 1
                    for name, text in (("ours", ours), ("rapidocr", theirs)):
                        error = distance(bare(said), bare(text)) / len(bare(said))
                        wrong.setdefault(f"character error rate, {kind}, {name}", []).append(error)
    figures = {name: round(sum(rates) / len(rates), 4) for name, rates in wrong.items()}
    report("Text recognition", {
        **figures, "pages": pages,
        **{f"pages a second, {name}": round(pages / spent, 2) for name, spent in seconds.items()},
        "times the speed of rapidocr": round(seconds["rapidocr"] / seconds["ours"], 2),
    })  # fmt: skip


if __name__ == "__main__":
    main()
