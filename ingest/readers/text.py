"""Plain text in any encoding: paragraphs between blank lines, numbered titles as they stand."""

import codecs
import re
from pathlib import Path

from corpora import UserError
from ingest.readers.writer import Writer

BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What a page or a mail calls its encoding, and the larger one that its writers meant (as browsers read it).
MEANT = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252", "shift_jis": "cp932",
         "euc_kr": "cp949", "big5": "big5hkscs"}  # fmt: skip
# Each table of common characters is a range of first bytes in the standard that ordered them by use.
EAST_ASIAN = {
    "gb18030": ("gb2312", range(0xB0, 0xD8)),  # 3,755 characters of level 1
    "big5hkscs": ("big5", range(0xA4, 0xC7)),  # 5,401 of level 1
    "cp932": ("shift_jis", range(0x88, 0x98)),  # 2,965 of level 1
    "euc_jp": ("euc_jp", range(0xB0, 0xD0)),
    "cp949": ("euc_kr", range(0xB0, 0xC9)),  # all of Hangul
}
SHORT = 8  # bytes that are not ASCII, at most: so few that chance decides between scripts, and Chinese is the likeliest
THROUGHOUT = 1.75  # of a score of 2: a script's most frequent characters and few others
TOUCHED = re.compile(r"[0-9A-Za-z][ -]?[^\x00-\x7f]|[^\x00-\x7f][ -]?[0-9A-Za-z]")
FOREIGN = re.compile(r"[^\x00-\x7f]+")
LETTERS = re.compile(
    r"[\t\n\r\x20-\x7e\xa0-\u024f\u0370-\u052f\u2010-\u2044\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff5e]+"
)
KANA = re.compile("[ぁ-ゖァ-ヶー]")
HANGUL = re.compile("[가-힣]")
MARKS = frozenset("，。；：、？！（）《》〈〉“”‘’「」『』【】〔〕—…·　～％．")
# The commonest characters of each script: two of a script's bytes rarely make one of another's.
FREQUENT = {
    "han": frozenset(
        "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所"
        "民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日"
        "那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想"
        "已通并提直题党程展五果料象员這個為國來時們對會發動過說產種後學經進電裡現實體機當點從業還開應間樣與關各線內數問變條結無軍"
        "題員設備檢查記錄規合約責任費"
    ),
    "kana": frozenset("のにはをたがでてとしれさいるなあっすもこまかうくりんらよきつせけえそどや"),
    "hangul": frozenset(
        "이다는에을의가하고지로사도를은한어리자그기서아나인있대시여라스정해안수제만일전부원장조주상보구용경공신무전과게으니습"
    ),
}


def read(path: Path, writer: Writer) -> None:
    text = decode(path.read_bytes())
    writer.note("characters not readable in the file's encoding", text.count("\ufffd"))
    for paragraph in re.split(r"\n[ \t]*\n", text):
        writer.paragraph(paragraph)


def decode(data: bytes, declared: str = "") -> str:
    """Bytes to text: by byte order mark, as UTF-8, as `declared` says, or as the encoding in which it reads as a language.

    Raises `UserError` for bytes that are no text.
    """
    for bom, encoding in BOMS.items():
        if data.startswith(bom):
            return _unix(data.decode(encoding, errors="replace"))
    sample = data[:65_536]
    if b"\0" in sample:
        return _unix(data.decode(_without_bom(sample), errors="replace"))
    try:
        return _unix(data.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    if encoding := _known(declared):
        try:
            return _unix(data.decode(encoding))
        except UnicodeDecodeError:
            pass
    return _unix(data.decode(_guess(data), errors="replace"))


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return ""
    return "" if found.startswith(("utf-", "idna", "punycode")) else MEANT.get(found, found)


def _without_bom(sample: bytes) -> str:
    """Text with zero bytes is UTF-16 one way or the other, if it reads as letters that way; else it is no text."""
    shares = {}
    for encoding in ("utf-16-le", "utf-16-be"):
        text = sample[: len(sample) // 2 * 2].decode(encoding, errors="replace")
        shares[encoding] = sum(map(len, LETTERS.findall(text))) / max(1, len(text))
    best = max(shares, key=lambda encoding: shares[encoding])
    if shares[best] < 0.9:
        raise UserError("The file is binary, whatever its name says.", "Give it the ending of its true kind.")
    return best


def _guess(data: bytes) -> str:
    """The encoding in which most of what is not ASCII reads as common characters of one script."""
    first = re.search(rb"[\x80-\xff]", data)
    start = max(0, first.start() - 1000) if first else 0
    sample = data[start : start + 65_536]
    if sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in sample) > 0.02 * len(sample):
        raise UserError("The file is binary, whatever its name says.", "Give it the ending of its true kind.")
    utf8 = sample.decode("utf-8", errors="replace")  # a few bytes may be damaged, or the sample's last character cut
    if utf8.count("\ufffd") <= 0.05 * sum(ord(c) > 127 for c in utf8):
        return "utf-8"
    scores = {encoding: _score(sample, encoding) for encoding in EAST_ASIAN}
    best = max(scores, key=lambda encoding: scores[encoding])
    if scores[best] < THROUGHOUT and _is_short_chinese(sample):
        return "gb18030"
    if scores[best] > 0.75:
        return best
    letters = sum(byte > 127 or chr(byte).isalpha() for byte in sample)
    high = sum(byte > 127 for byte in sample)
    if high < 20 or high < 0.3 * letters:  # the odd accent or sign: too little to tell alphabets apart by
        return "cp1252"
    from charset_normalizer import from_bytes

    found = from_bytes(sample).best()
    if found is None:
        raise UserError("The file is no text in any encoding known.", "Save it as UTF-8.")
    return found.encoding


def _is_short_chinese(sample: bytes) -> bool:
    """A few characters of GB2312, most of them of its common ones, that no Latin letter or figure stands beside.

    What stands beside one may be its accent or sign: ÄÖ and ±½ are Chinese characters too, by their bytes.
    """
    if sum(byte > 127 for byte in sample) > SHORT:
        return False
    try:
        text = sample.decode("gb2312")
    except UnicodeDecodeError:
        return False
    letters = [c.encode("gb2312") for c in text if c > "\x7f" and c not in MARKS]
    if any(code[0] < 0xB0 for code in letters):  # kana, Greek and signs, which Chinese in Big5 looks like by chance
        return False
    common = sum(code[0] in EAST_ASIAN["gb18030"][1] for code in letters)
    return common > 0.5 * len(letters) and not TOUCHED.search(text)


def _score(sample: bytes, encoding: str) -> float:
    """From 0 to 2: the share of common characters among those not ASCII, and of the most frequent ones again."""
    text = sample.decode(encoding, errors="replace")
    if len(text) > 1 and text[-1] == "\ufffd":
        text = text[:-1]
    table, common_bytes = EAST_ASIAN[encoding]
    runs = FOREIGN.findall(text)
    letters = "".join(runs)
    japanese, korean = encoding in ("cp932", "euc_jp"), encoding == "cp949"
    alone = {run for run in runs if len(run) == 1} - FREQUENT["han"]  # 蚓 in "45 蚓" is °C, however often it comes
    common = frequent = 0
    for c in "".join(run for run in runs if run not in alone):
        if KANA.match(c):
            common += japanese
            frequent += japanese and c in FREQUENT["kana"]
        elif HANGUL.match(c):
            common += korean
            frequent += korean and c in FREQUENT["hangul"]
        elif c in MARKS or "！" <= c <= "～":
            common += 1
        elif not korean:
            code = c.encode(table, errors="ignore")
            common += len(code) == 2 and code[0] in common_bytes
            frequent += c in FREQUENT["han"]
    if not letters or (japanese and not KANA.search(text)):
        return 0.0
    return (common + frequent) / len(letters) if common > 0.75 * len(letters) else 0.0


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
