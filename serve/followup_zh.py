"""Chinese follow-ups: 那扭矩呢？ 第四十条呢？ 乙方呢？ 它有什么限制？ 结语怎么写？"""

import re

from serve.followup_slots import CLAUSE, Asked, Known, codes, swapped

AND = re.compile(r"^(?:(?:那么|还有|另外|然后|此外|而且|那(?![份个台种些项条次位张件里边时款只]))[，,、\s]*)+")
MORE = re.compile(r"(?:请)?(?:再?(?:详细|具体)(?:说说|说明|解释)?(?:一下)?|继续|展开(?:说说|讲讲)?|说详细点"
                  r"|(?:现在|目前|如今|眼下)(?:呢|怎么样|(?:还|也)是(?:这样|如此)?吗|还一样吗))")  # fmt: skip
POLITE = re.compile(r"(?:非常)?(?:谢谢|感谢|多谢)[你您了]*|好[的吧]?|是的?|不是|对的?|明白了?|知道了|你好|您好|嗯|再见|可以|行")
ASKS = re.compile("多少|几(?!乎)|什么|哪|怎|如何|谁|多[久长大高远重深宽厚]|吗|是否|能不能|可不可以|是不是|有没有|要不要|为何|何时")
ENDS = re.compile(r"[？?。！!，,\s]+$")
PRONOUN = re.compile(
    r"它们?的?|(?<![极尤与])其(?![他它中余实次])|[上前]述的?|(?<!应)该(?![怎如不在由向有把给从去做交])|[这那](?:个|份|台|种|项|条|次|款|些)(?!月)"
)
PARTICLE = "的最至是由按要有怎如多几什能可应在会该，,、：？?里中内为对从向给把被和与及或吗呢谁哪"
QUANTITY = re.compile(
    r"(?:不?超过|不满|不足|满|少于|多于)?[\d,.零〇一二两三四五六七八九十百千万]+(?:个)?(?:日|天|年|月|小时|分钟|万元|元|吨|公里|次|人|%|％)(?:以内|以上|以下|之内|内)?"
)
SAID = re.compile(r"(?:该|[上前]述|[这那].)$")  # the said contract, and not its contract
OF_PAPER = re.compile(r"合同书?|协议书?|租约|办法|制度|规定|条例|手册|规则|细则|章程|文件")
OF_IRON = re.compile(r"设备|机器|机组|装置|仪器|产品|机(?=[的型多有是能上里怎，？])")
OWNED = re.compile(r"(?:它们?的?|其(?![他它中余实次])|这个的|该)(?=.)")
JOINS = re.compile(r"(?:里面?|中|内)?[的，,]?\s*$")
INSIDE = re.compile(r"^(?:里面?|中|内|上|规定)?[的，,]?")
TAIL = re.compile(
    r"(?:(?:是|有|为|要|应当|应该|可以|能|需要)*(?:多少|多久|多长|多大|几|什么|哪些?)\w{0,3}"
    r"|(?:应当|应该|要|是|该)*(?:怎么|怎样|如何|什么时候|何时|由谁|谁|为什么|为何).*|\w{0,4}吗)$"
)
SHORT, SHORTEST = 12, 8  # characters of a question that may lean by being short; of one that leans on the subject too


def rewrite(question: str, before: Asked, version: str, known: Known) -> Asked | None:
    """`question` made to stand alone after `before`; None where it does."""
    rest = AND.sub("", question)
    core = ENDS.sub("", rest)
    if MORE.fullmatch(core):
        return before
    if POLITE.fullmatch(core) or not core:
        return None
    part = re.sub(r"(?:又|会|该|应该)?(?:呢|怎么样|如何|咋样)$", "", core)
    if part and not ASKS.search(part) and (part != core or (rest != question and len(part) <= SHORT) or CLAUSE.fullmatch(part)):
        return _changed(re.sub(r"^(?:关于|至于|如果|要是)", "", part), before, version, known)
    if codes(rest) or known.names(rest) or "《" in rest:
        return None
    if found := PRONOUN.search(rest):
        return _resolved(rest, found, before, version, known)
    if CLAUSE.search(rest) or len(core) > SHORT:
        return None
    if rest != question or (known.holds(version, ASKS.sub("，", core)) if version else len(core) < SHORTEST):
        where = _where(before, version, known)
        return Asked(f"{_stated(before.text) if len(core) <= SHORTEST or not where else where}，{rest}")
    return None


def _changed(part: str, before: Asked, version: str, known: Known) -> Asked:
    """The question before, with `part` in the place of what is of its kind there."""
    old = before.text
    if new := swapped(part, old):
        return Asked(_within(new, version, known) if CLAUSE.search(part) else new, part)
    if CLAUSE.search(part):
        return Asked(f"{part if known.names(part) else _where(before, version, known) + part}怎么规定？", part)
    if (quantity := QUANTITY.fullmatch(part.rstrip("的"))) and (was := QUANTITY.search(old)):
        return Asked(f"{old[: was.start()]}{quantity[0]}{old[was.end() :]}", quantity[0])
    anchor, rest = _split(old, known)
    if codes(part) or known.names(part):
        return Asked(f"{part}{JOINS.search(anchor)[0]}{rest}" if anchor else f"{part}，{old}", part)  # type: ignore[index]
    if owned := OWNED.match(part):
        part, (start, end) = part[owned.end() :], _attribute(rest)
    else:
        start, end = _slot(part, rest, before.slot)
    if end:
        kept = part
        if part.endswith("的"):  # of the same: 重大合同的档案, 未签署的合同的档案
            kept = part + rest[end - 2 : end] if rest[start:end] == before.slot or rest[end : end + 1] != "的" else part[:-1]
        return Asked(f"{anchor}{rest[:start]}{kept}{rest[end:]}", kept)
    return Asked(f"{ENDS.sub('', old)}，{part}呢？", part)


def _slot(part: str, rest: str, slot: str) -> tuple[int, int]:
    """Where in the question before stands what `part` takes the place of; (0, 0) where nothing does."""
    bare = part.rstrip("的")
    if slot and slot in rest and (part.endswith("的") or slot[-1] == bare[-1]):
        return rest.index(slot), rest.index(slot) + len(slot)
    asks = ASKS.search(rest)
    said = rest[: asks.start()] if asks else rest
    for size in range(len(bare), 0, -1):
        for at in range(len(bare) - size + 1):
            shared = bare[at : at + size]
            if (size > 1 or at == len(bare) - 1) and shared in said and not set(shared) & set(PARTICLE):
                found = said.rindex(shared) if size == 1 and len(bare) < 2 else said.index(shared)
                return _reach(said, found, -1, at), _reach(said, found + size, 1, len(bare) - at - size)
    if slot and slot in rest:
        return rest.index(slot), rest.index(slot) + len(slot)
    if not asks:
        return 0, 0
    # as the question before began, so does its follow-up: 机身的含税单价是多少，飞轮呢; 函的正文多少字，通知的开头呢
    start = re.match(r"[，,、\s]*", rest)
    begin = start.end() if start else 0
    end = next((i for i in range(begin, len(said)) if said[i] in PARTICLE), len(said))
    if "的" in bare and said[end : end + 1] == "的":
        end = next((i for i in range(end + 1, len(said)) if said[i] in PARTICLE), len(said))
    return (begin, end) if end > begin else (0, 0)


def _attribute(rest: str) -> tuple[int, int]:
    """Where 单价 stands in 机身的单价是多少, or in 的单价是多少; (0, 0) where nothing is said to be of another."""
    found = re.match(rf"(?:[^{PARTICLE}]*的)?([^{PARTICLE}]+)", rest)
    return found.span(1) if found else (0, 0)


def _reach(text: str, at: int, step: int, length: int) -> int:
    """From `at` over `length` characters at most, within one noun."""
    while length and 0 <= (at - 1 if step < 0 else at) < len(text) and text[at - 1 if step < 0 else at] not in PARTICLE:
        at, length = at + step, length - 1
    return at


def _split(text: str, known: Known) -> tuple[str, str]:
    """The document or code that a question names, with what joins it, and the rest: 铸件采购合同里 | 机身的含税单价是多少？"""
    end = 0
    for m in re.finditer(r"合同|协议|办法|制度|规定|条例|手册|规则|细则|法|》", text):
        if known.names(text[: m.end()]):
            end = m.end()
            break
    if not end and (own := codes(text)) and text.index(own[0]) < 8:
        end = text.index(own[0]) + len(own[0])
        end += 1 if text[end : end + 1] == " " else 0
    joined = INSIDE.match(text[end:]) if end else None
    end += joined.end() if joined else 0
    return text[:end], text[end:]


def _where(before: Asked, version: str, known: Known) -> str:
    """The document that the question before names, else the one its answer cites: 《…》."""
    anchor, _ = _split(before.text, known)
    if anchor and known.names(anchor):
        return JOINS.sub("", anchor)
    title = known.title(version) if version else ""
    return title if not title or title.startswith("《") else f"《{title}》"


def _within(text: str, version: str, known: Known) -> str:
    """A clause's number means little without its document."""
    title = known.title(version) if version else ""
    return text if known.names(text) or not title else f"《{title}》{text}"


def _stated(text: str) -> str:
    """The question before without what it asks: 批复的办理时限是多久？ → 批复的办理时限."""
    stated = TAIL.sub("", ENDS.sub("", text))
    return re.sub(r"多少|几个?|什么|哪些?", "", stated) or ENDS.sub("", text)


def _resolved(rest: str, found: re.Match[str], before: Asked, version: str, known: Known) -> Asked:
    """`rest` with the subject of the question before in its pronoun's place."""
    if SAID.fullmatch(found[0]) and (meant := _said(rest[found.end() :], before, version, known)):
        thing, length = meant
        return Asked(f"{rest[: found.start()]}{thing}{rest[found.end() + length :]}")
    anchor, following = _split(before.text, known)
    subject = JOINS.sub("", anchor)
    if not subject:
        asks = ASKS.search(following)
        said = following[: asks.start()] if asks else ENDS.sub("", following)
        subject = next((said[:i] for i, c in enumerate(said) if i > 1 and c in PARTICLE), said)
    if not subject:
        return Asked(f"{ENDS.sub('', before.text)}，{rest}")
    if SAID.fullmatch(found[0]) and (kind := OF_IRON.match(rest, found.end())):
        return Asked(f"{rest[: found.start()]}{subject}{rest[kind.end() :]}")
    owned = "的" if found[0].endswith("的") or found[0] == "其" else ""
    return Asked(f"{rest[: found.start()]}{subject}{owned}{rest[found.end() :]}")


def _said(after: str, before: Asked, version: str, known: Known) -> tuple[str, int] | None:
    """What 该合同 or 该条 stands for, of which `after` begins with the noun, and the noun's length; None where that cannot be told."""
    if paper := OF_PAPER.match(after):
        if where := _where(before, version, known):
            return where, paper.end()
        return (f"{_stated(before.text)}，该", 0)
    asks = ASKS.search(before.text)
    stated = before.text[: asks.start()] if asks else before.text
    for size in range(min(4, len(after)), 0, -1):
        if after[:size] in stated and (size > 1 or after[1:2] in PARTICLE) and not set(after[:size]) & set(PARTICLE):  # 第三十九条
            return stated[: stated.rindex(after[:size]) + size], size
    return None
