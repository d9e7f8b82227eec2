"""What a document is about, as people name it in a question: the SC-40, the Master Services Agreement, 《厂房租赁合同》."""

import re
from dataclasses import dataclass

CODE = re.compile(r"[A-Z]{1,4}-?\d{1,5}[A-Z]?(?![\w-])")
HEAD = re.compile(r"\s*[:：]\s*|\s+[–—-]\s+")


@dataclass(frozen=True, slots=True)
class Subject:
    """`name` stands in a question; `place` with its preposition: `on the SC-40`, `in the Site Guide`, `《…》中`."""

    name: str
    place: str
    lang: str


def subject_of(title: str, lang: str) -> Subject:
    head = HEAD.split(title.strip(), maxsplit=1)[0]
    code = CODE.match(head)
    if lang == "zh":
        name = code[0] if code else f"《{head.strip('《》')}》"
        return Subject(name, name if code else f"{name}中", lang)
    if code:
        return Subject(f"the {code[0]}", f"on the {code[0]}", lang)
    article = "" if re.match(r"(?:The|A|An) |[a-z]|.*\b[A-Z]{2,4}-?\d", head) else "the "
    return Subject(f"{article}{head}", f"in {article}{head}", lang)
