"""Numbers and addresses that point to a person: phones, e-mail, ID cards, passports, bank accounts, licence plates.

Written for manuals and contracts, which are full of numbers that are none of these: a rule needs a check digit, a shape that
nothing else has, or a word before the number that says what it is.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache

Span = tuple[int, int, str]  # start, end, kind


def rule(pattern: str) -> re.Pattern[str]:
    """Letters, digits and blanks are ASCII's alone, so that a Chinese character beside a number ends it."""
    return re.compile(pattern, re.ASCII)


APART = r"(?<![\dA-Za-z_])(?<![\dA-Za-z][-./])(?<!\d[ ,])"  # the number does not go on to the left,
DONE = r"(?![\dA-Za-z_])(?![-./,]\d)"  # nor to the right: longer ones are part numbers, amounts, versions
FILL = r"(?:号码|号|为|是|(?i:numbers?|nos?\.?|is|was|at|on|us|me|him|her)\b|[:#.,|/]|\s|\([^()\n]{1,10}\)){0,8}"
COUNTED = rule(  # what is numbered before a number, so that it is no phone and no card
    r"(?:编号|序号|序列号|单号|件号|料号|图号|批号|型号|票号|货号|订单|工单|合同|条码|代码|编码|参数|金额|人民币|[¥$€£]"
    r"|\b(?i:part|serial|order|item|drawing|invoice|batch|lot|model|s/n|p/n|no|nos|ref|id|code)\b)(?:号码?|号|为|是|\b(?i:numbers?|nos?|is|was)\b|[.:#|\s-]){0,6}$"
)
MEASURED = rule(  # 次日 and 个人 after a blank are the next words
    r"\s*(?:元|℃|°|%|(?i:mm|kg|km|rpm|bar|hours?|pcs)\b)|(?:万|亿|台|件|个|只|次|吨|米|毫米|小时|转|升)"
)

EMAIL = rule(r"(?<![\w.+%-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@-])(?!\([\w)])(?!\.\w)")
ID_CARD = rule(
    r"(?:(?<![\dA-Za-z])|(?<=ID)|(?<=Id)|(?<=id))[1-8](?:[\s-]?\d){16}[\s-]?[\dXx](?![\dA-Za-z])"  # a line may end within
)
ID_LABELLED = rule(
    rf"(?:身份证|公民身份|身份号|驾驶证号){FILL}(?:件)?{FILL}(\d{{6}}[ -]?\d{{8}}[ -]?\d{{2,3}} ?[\dXx]|\d{{15}})(?!\d)"
)
SSN = rule(
    rf"(?:\bSSN\b|\b(?i:social security)\b){FILL}((?!000|666|9)\d{{3}}([- ]?)(?!00)\d\d\2(?!0000)\d{{4}})(?![-\d])"
)
PASSPORT = rule(rf"(?:护照|通行证|\b(?i:passport)\b){FILL}([A-Z]{{1,2}}\d{{6,9}}|\d{{8,9}}){DONE}")
CARD = rule(
    rf"{APART}(?:\d{{15,19}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}(?:\1\d{{1,3}})?"
    rf"|\d{{4}}([ -])\d{{6}}\2\d{{5}}|\d{{6}}([ -])\d{{13}}){DONE}"
)
ACCOUNT = rule(
    rf"(?:卡号|账号|帐号|账户|银行卡|\b(?i:card|account) (?i:numbers?|nos?\b)|\b(?i:a/c)\b){FILL}(\d(?:[ -]?\d){{10,22}})(?![\dA-Za-z])"
)
IBAN = rule(r"(?<![\dA-Za-z])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
MOBILE_CN = rule(  # of two with a mark between each is one
    r"(?<![\dA-Za-z_])(?:(?<![\dA-Za-z][-./])|(?<=1[3-9]\d{9}/))(?:(?:\+|00)?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}"
    r"(?![\dA-Za-z_])(?![-./,](?!1[3-9]\d{9}(?!\d))\d)"
)
LANDLINE_CN = rule(
    rf"{APART}(?:(?:\+86[- ]?)?\(0?[1-9]\d{{1,2}}\)[- ]?|0[1-9]\d{{1,2}}[- ])\d{{3,4}}[- ]?\d{{4}}(?:转\d{{1,6}}|-\d{{1,5}})?{DONE}"
)
BRACKETED = rule(r"(?<![\w)])(?:\+?1[- ])?\([2-9]\d\d\) ?[2-9]\d\d[-. ]\d{4}(?![\d-])")
PLUS = rule(r"(?<![\w+])\+\(?[1-9]\d{0,3}\)?[-. ]?(?:\(?\d{1,5}\)?[-. ]?){2,6}")
PHONE_LABELLED = rule(
    r"(?:电话|手机|座机|固话|传真|热线|联系方式|\[电话\]|\[phone\]"
    r"|\b(?i:tel|telephone|phone|mobile|cell ?phone|fax|whatsapp|hotline|call)\b)"
    rf"(?:[、;]|或者?|\b(?:or|and)\b|{FILL}){{1,3}}(\+?\(?\d[\d() .-]{{4,20}}\d)(?:转\d{{1,6}})?(?![\dA-Za-z])"
)
DATE = rule(r"(?:19|20)\d\d[-. ](?:0?[1-9]|1[0-2])[-. ](?:0?[1-9]|[12]\d|3[01])(?!\d)")
REGIONS = ("CN", "US", "GB")  # whose national numbers are known where a word says that it is one
# 新 in 更新, 云 in 阿里云, 藏 in 收藏 are no provinces
PLATE = rule(
    r"(?:[京津沪渝冀豫辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青川宁琼]|(?<![更最全重刷创革])新|(?<![里讯为有])云|(?<![收储隐])藏)"
    r"[A-HJ-NP-Z][·•. -]?"
    r"(?=[A-Z]{0,5}\d)(?:[A-K][A-HJ-NP-Z0-9]\d{4}|\d{5}[A-K]|(?=(?:[A-Z]?\d){2})[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳])(?![A-Za-z0-9])"
)


def identifiers(text: str) -> Iterator[Span]:
    """Where they stand in `text`, which is in half-width characters; spans may overlap, the surer ones come first."""
    if "@" in text:
        yield from ((*m.span(), "e-mail") for m in EMAIL.finditer(text) if not m[0].startswith("git@"))
    if not any("0" <= c <= "9" for c in text):
        return
    for m in IBAN.finditer(text):
        if end := _iban_end(m[0]):
            yield m.start(), m.start() + end, "bank account"
    yield from ((*m.span(), "ID number") for m in ID_CARD.finditer(text) if _is_id_card(m[0]))
    for pattern, kind, proves in LABELLED:
        yield from ((*m.span(1), kind) for m in pattern.finditer(text) if proves(m[1]))
    for m in CARD.finditer(text):
        if _is_card(m[0]) and not _is_counted(text, m):
            yield *m.span(), "bank account"
    for pattern in (MOBILE_CN, LANDLINE_CN, BRACKETED):
        for m in pattern.finditer(text):
            if not _is_counted(text, m) and (pattern is BRACKETED or _is_valid(m[0], "CN")):
                yield *m.span(), "phone"
    for m in PLUS.finditer(text):
        if length := _international(m[0]):
            yield m.start(), m.start() + length, "phone"
    for m in PHONE_LABELLED.finditer(text):
        if _may_be_phone(m[1]) and not MEASURED.match(text, m.end()):
            yield m.start(1), m.end(), "phone"
    yield from ((*m.span(), "licence plate") for m in PLATE.finditer(text))


def _anything(number: str) -> bool:
    return True


LABELLED: tuple[tuple[re.Pattern[str], str, Callable[[str], bool]], ...] = (
    (ID_LABELLED, "ID number", _anything),
    (SSN, "ID number", _anything),
    (PASSPORT, "passport", lambda number: not DATE.match(number)),
    (ACCOUNT, "bank account", _anything),
)


def _is_counted(text: str, found: re.Match[str]) -> bool:
    """Is it an order's or a part's number, an amount or a count?"""
    before = text[max(0, found.start() - 24) : found.start()]
    return bool(COUNTED.search(before) or MEASURED.match(text, found.end()))


def _is_id_card(number: str) -> bool:
    """Province, date of birth and check digit; `stdnum` knows too few of the counties between."""
    from stdnum.cn import ric

    number = re.sub(r"[\s-]", "", number).upper()
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return born.year >= 1900 and born <= date.today() and ric.calc_check_digit(number) == number[-1]


def _is_card(number: str) -> bool:
    """Its check digit is right, and cards of this length begin so."""
    from stdnum import luhn

    number = re.sub("[ -]", "", number)
    first, size = int(number[:4]), len(number)
    known = {
        15: first // 100 in (34, 37),  # American Express
        16: number[0] == "4"
        or 5100 <= first < 5600
        or 2221 <= first <= 2720
        or first // 100 in (35, 62, 64, 65)
        or first == 6011,
        17: first // 100 == 62,
        18: first // 100 == 62,
        19: first // 100 == 62 or number[0] == "4" or first in (6011, 9558, 9559),
    }
    return known[size] and len(set(number)) > 1 and bool(luhn.is_valid(number))


def _iban_end(text: str) -> int:
    """The length of the IBAN that `text` begins with; what follows it may be a capital word. 0 where there is none."""
    from stdnum import iban

    cuts = [len(text), *(m.start() for m in reversed(list(re.finditer(" ", text))))]
    return next((cut for cut in cuts if iban.is_valid(text[:cut], check_country=False)), 0)


@cache
def _may_be_phone(number: str) -> bool:
    """Would a phone take it, where a word says that it is one?"""
    import phonenumbers as phones

    digits = sum(c.isdigit() for c in number)
    if not 7 <= digits <= 15 or DATE.match(number) or number.count("(") != number.count(")"):
        return False
    if digits <= 8:
        return not re.search(r"\.|\d ?- ?\d+ ?- ?\d", number)  # a subscriber's number, without the place's
    for region in REGIONS:
        try:
            if phones.is_possible_number(phones.parse(number, region)):
                return True
        except phones.NumberParseException:
            return False
    return False


@cache
def _is_valid(number: str, region: str) -> bool:
    import phonenumbers as phones

    try:
        return bool(phones.is_valid_number(phones.parse(re.sub(r"转\d+", "", number), region)))
    except phones.NumberParseException:
        return False


@cache
def _international(text: str) -> int:
    """The length of the valid number that `text`, which begins with a plus, begins with; 0 where there is none."""
    import phonenumbers as phones

    found = next(iter(phones.PhoneNumberMatcher(text, None)), None)
    return found.end if found and found.start == 0 else 0
