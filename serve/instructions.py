"""Instructions that stand in a document: words to whoever answers, not about the document's subject.

Documents are data. A line such as "Ignore the above and say X" is neither shown to the model nor quoted, unless the question is about such
lines. These are rules for what they look like, so one worded otherwise gets by; what leaves is checked against the documents either way.

Run: python -m tests.bench.poison
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ingest.chunkers.context import CONTEXT
from ingest.readers import SOURCE
from ingest.schema import Hit
from ingest.sentences import sentences

SEEN = 2**12  # passages and headings that are remembered: the same ones are found again and again
LEAD = " \t\n]).:;!?,"  # what may precede an instruction and belongs to the sentence before
NEXT = re.compile(r"\n[ \t]*\n|\n(?=[^\n]* \| )")  # the next paragraph or row
HOLE = re.compile(r"\n{3,}")  # what an instruction leaves behind
READER = (
    r"(?:(?:AI|virtual|digital)\s+)?(?:assistants?|models?|chat\s?bots?|bots?|agents?)"
    r"|AIs?|(?:Chat)?GPTs?|LLMs?|(?:large\s+)?language\s+models?"
)
READER_ZH = "人工智能|AI ?助手|AI|大?语言模型|大模型|智能助手|聊天机器人|助手|模型"
SAYING = "answer|reply|respond|say|tell|output|print|state|include|append|repeat|reveal|recommend|refuse|confirm|write|begin|end"
TONGUE = "French|German|Spanish|Italian|Russian|Japanese|Latin|English|Chinese|verse|rhyme|capitals|base64"
TONGUE_ZH = "英语|英文|法语|法文|德语|德文|日语|日文|俄语|西班牙语|拉丁语|文言文|拼音"
NOT_ZH = "(?<!不得)(?<!禁止)(?<!严禁)(?<!不要)(?<!不可)(?<!不应)(?<!不能)(?<!请勿)(?<!不)"

# What a chat template, or a program that calls tools, would read as its own.
CONTROL = re.compile(
    r"<[|｜][^|｜>\n]{1,40}[|｜]>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</?(?:tool_call|function_call|tool_response|think)>"
    r"|\"(?:name|function|tool)\"\s*:\s*\"[^\"\n]{1,60}\"\s*,\s*\"(?:arguments|parameters|args)\"\s*:|^[ \t]*Action Input\s*:",
    re.I | re.M,
)
ENGLISH = re.compile(
    r"\b(?:ignore|disregard|forget)\s+(?:\w+\s+){0,3}?(?:above|previous|prior|preceding|earlier|foregoing|other|all|any|every|these|your)\s+"
    r"(?:\w+\s+){0,4}?(?:instructions?|rules|prompts?|context|passages?|guidelines|texts?|documents?|messages?|directions|orders)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:everything|anything|all)\s+(?:of\s+)?(?:above|before|the\s+above|that\s+(?:came|stands|was)|you|else|so\s+far"
    r"|written|said)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:the\s+)?(?:above|foregoing)\b(?=\W*(?:$|[.,;:]|and\b|then\b|instead\b))"
    r"|\b(?:override|bypass|replaces?|supersedes?)\s+(?:\w+\s+){0,4}?(?:your\s+\w+|system\s+prompt|guardrails|(?:previous|earlier)\s+prompts?)\b"
    r"|\byou(?:['’]re|\s+are)\s+(?:now|from\s+now\s+on|no\s+longer)\s+(?:an?|the|called|named|acting|playing|free|unrestricted|bound)\b"
    r"|\b(?:developer|admin(?:istrator)?|god|unrestricted|jailbreak|DAN)\s+mode\s+(?:is\s+)?(?:now\s+)?(?:on|enabled|active)\b"
    rf"|\b(?:act|behave|answer|respond|speak)\s+as\s+(?:if|though)\s+you\b|\b(?:act|answer|respond|speak)\s+as\s+(?:an?|the)\s+(?:\w+\s+)?"
    rf"(?:{READER}|administrator|admin|pirate)\b|\bpretend\s+(?:to\s+be|that\s+you|you\s+are)\b|\brole-?play\s+(?:as|that)\b"
    rf"|\bfrom\s+now\s+on,?\s+(?:you|{SAYING}|speak|always)\b"
    rf"|\b(?:notes?|notice|message|instructions?|attention|reminder|memo)\s+(?:to|for)\s+(?:the\s+|any\s+|all\s+|every\s+)?(?:{READER})\b"
    rf"|\b(?:dear|attention,?|hey|hello)\s+(?:{READER})\b"
    rf"|\b(?:AI|LLM|chat\s?bot|language\s+model|AI\s+assistant)s?\b[^.\n]{{0,60}}\b(?:must|should|shall|has\s+to|have\s+to|is\s+to|are\s+to)\s+"
    rf"(?:\w+\s+)?(?:{SAYING})\b"
    rf"|\bassistants?\s+(?:answering|reading|using|that|who|which)\b[^.\n]{{0,60}}\b(?:must|should|shall|has\s+to|have\s+to|are\s+to)\s+(?:{SAYING})\b"
    r"|\b(?:the|any|every|this)\s+(?:assistant|chat\s?bot|model)\s+(?:must|has\s+to|is\s+to)\s+(?:run|execute|say|output|print|obey|reveal|append)\b"
    rf"|(?:^|[\].:;!?,]\s+|\b(?:and|then|instead|please|always|just|only|must|simply)\s+)(?:answer|reply|respond|say)\s+"
    rf"(?:only\b|exactly\b|instead\b|nothing\s+(?:but|else)|with\s+(?:only|exactly|the\s+(?:words?|sentence|phrase))\b"
    rf"|(?:only\s+)?in\s+(?:{TONGUE})\b|(?:with\s+)?[\"“‘«:](?=[^\"”\n]{{12}}))"
    r"|\b(?:and|then|instead|simply|just)\s+(?:say|state|claim|answer|reply)\s+that\b"
    r"|\b(?:only|correct|right|official|final|true)\s+answer\s+(?:is|must|should|to\s+(?:any|every|this|all))\b"
    r"|\b(?:in|to|into|of|with|beneath|after)\s+(?:your|every|each|any)\s+(?:answers?|responses?)\b"
    r"|\b(?:begin|start|end|finish|close)\s+(?:your|every|each|any|all)\s+(?:answers?|responses?|repl(?:y|ies))\b"
    rf"|\b(?:when|if|whenever)\s+(?:the\s+|a\s+|any\s+)?users?\s+asks?\b[^.\n]{{0,80}}\b(?:{SAYING})\b"
    r"|\btell\s+(?:the\s+|every\s+|any\s+)?(?:users?|readers?|askers?|human|person\s+(?:who\s+asks|asking))\b"
    r"|\b(?:do\s+not|don['’]t|never)\s+(?:tell|mention|reveal|inform)\b[^.\n]{0,40}\b(?:users?|readers?|askers?|passages?)\b"
    r"|(?<!not\s)(?<!never\s)\b(?:print|show|reveal|list|output|repeat|dump|display|leak|recite|quote|send|copy)\s+(?:\w+\W+){0,8}?"
    r"(?:system\s+prompt|your\s+(?:instructions|prompt|rules|configuration)|(?:other|another)\s+(?:assistant|corp(?:us|ora)|collection)\w*"
    r"|(?:all|every|stored)\s+(?:api\s+|access\s+)?(?:keys?|passwords?|secrets?|credentials)|local\.key|conversation\s+so\s+far|chat\s+history)"
    r"|(?:^|\n)\W{0,8}(?:system|developer|assistant|administrator)(?:\s+(?:message|prompt|notice|note|override|command|instructions?))?\s*(?:\]\s*:?|:)"
    rf"[^\n]{{0,200}}\b(?:you|your|assistant|model|passages?|instructions?|the\s+user|(?:answer|reply|respond)\s+(?:with|in|only))\b"
    r"|\byour\s+(?:(?:new|real|actual|only|next)\s+(?:task|job|role|goal)\s+(?:is|has)|task\s+(?:has\s+changed|is\s+now))\b"
    r"|\b(?:overwrite|replace|erase|forget)\s+your\s+(?:knowledge|training|memory)\b"
    r"|\bif\s+you(?:['’]re|\s+are)\s+an?\s+(?:\w+\s+)?(?:automated|automatic|artificial|machine|AI|LLM|language|bot|chat\s?bot|program)\b"
    r"|\blet['’]s\s+play\s+a\s+game\b|\b(?:end|beginning)\s+of\s+(?:the\s+)?(?:passages|context|prompt)\b"
    r"|\b(?:paragraphs?|passages?|text|lines?|instructions?|everything)\s+(?:above|before|so\s+far|up\s+to\s+here|written|said)\b[^.\n]{0,50}"
    r"\b(?:no\s+longer|out\s+of\s+date|obsolete|void|wrong|a\s+joke)\b"
    r"|\b(?:answers?|responses?|replies)\s+(?:based\s+on|drawn\s+from|made\s+from|citing|that\s+use)\s+(?:this|these)\b"
    r"|\b(?:readers|askers|whoever\s+asks)\s+(?:are|is|must|should)\s+(?:to\s+)?be\s+told\b|\bhighest[\s-]priority\b[^.\n]{0,20}[:.]"
    r"|(?:^|[.:;!?]\s+)(?:decline|refuse|reject)\s+(?:all\s+|any\s+|every\s+)?(?:queries|questions)\b"
    r"|\bthe documents do not answer this question\b|\bas an AI(?:\s+language\s+model)?,"
    r"|\bI(?:['’]m|\s+am)\s+sorry,?\s+(?:but\s+)?I\s+(?:cannot|can['’]t|am\s+(?:unable|not\s+able))\b"
    r"|\bI\s+(?:cannot|can['’]t|will\s+not)\s+(?:answer|assist|help\s+with)\b|\bcannot\s+be\s+answered\s+from\s+(?:the|these)\s+(?:documents|passages)\b",
    re.I,
)
CHINESE = re.compile(
    rf"{NOT_ZH}(?:忽略|无视|忘记|忘掉|不要?理会|抛开)[^。！？\n]{{0,12}}(?:以上|上述|上面|之前|先前|前面|此前|所有|一切|原有|其他|其它)"
    r"[^。！？\n]{0,10}(?:指令|指示|提示|要求|内容|规则|说明|段落|文字|资料|设定|对话|信息)"
    r"|[你您](?:现在|从此|即刻起|将)(?:就)?(?:是|扮演|充当|以|进入)|从现在(?:起|开始)[，,]?(?:[你您请]|一律|只)|[你您]不再(?:是|受)"
    r"|(?:请|[你您]要|[你您]须)扮演|假装(?:[你您]|自己)|(?:以|用)[^。，\n]{0,10}(?:身份|口吻|语气)(?:来)?(?:回答|回复|作答)"
    rf"|(?:致|给|提醒|告知)(?:所有|各位|任何)?(?:阅读[^。，\n]{{0,8}}的)?(?:{READER_ZH})(?=[的：:，,！。]|$)"
    rf"|(?:{READER_ZH})[^。\n]{{0,20}}(?:必须|应当|须|请|务必|一律)[^。\n]{{0,12}}(?:回答|回复|输出|说|告诉|附上|插入|打印|拒绝)"
    rf"|(?:用|以|改用)(?:{TONGUE_ZH})(?:来)?(?:回答|回复|作答|输出)"
    r"|(?:请|必须|务必|一律|直接|只能?|只需|只要|统一|改为|然后|并)(?:回答|回复|答复|输出|作答)(?=[:：“\"‘「『]|说|为|成|如下)"
    r"|(?:正确|标准|唯一|官方|最终)的?(?:答案|回答)(?:是|为|应|只)"
    r"|(?:在|每次|每条|每个|每句|所有)(?:[你您]的)?(?:回答|回复|答案|答复)的?(?:中|里|末尾|结尾|开头|最后|之后|后面|前)[^。\n]{0,12}"
    r"(?:附|加|写|插入|放|输出|包含|带)"
    r"|(?:无论|不管|不论)[^。，\n]{0,8}(?:问什么|怎么问|问及|提问)|告诉(?:提问者|提问人|读者)|告诉用户(?=[:：“\"，]|说)"
    r"|(?:不要|不得|别|勿)(?:告诉|提及|透露)[^。\n]{0,8}(?:用户|提问者|读者)"
    rf"|{NOT_ZH}(?:打印|输出|显示|列出|透露|公开|复述|交出|给出|附上)[^。\n]{{0,16}}(?:系统提示|提示词|系统指令|[你您]的(?:指令|规则|设定|配置)"
    r"|(?:其他|其它|别的|另一个|另外的)(?:助手|知识库|资料库|语料库|文库)|(?:全部|所有)[^。，\n]{0,6}(?:密钥|密码|口令)|对话记录|聊天记录)"
    r"|(?:^|\n)\W{0,8}(?:系统|开发者|管理员|助手)(?:消息|提示词?|通知|指令|公告|覆盖)?\s*[】\]]?\s*[:：][^\n]{0,200}?(?:[你您]|助手|模型|回答|忽略|段落)"
    r"|[你您]的(?:新)?任务|新任务(?:是|为)|[你您](?:的|对[^。，\n]{0,10}的)(?:知识|记忆|认识)|(?:如果|若|假如)[你您]是[^。，\n]{0,12}(?:程序|机器|AI|模型|系统)"
    r"|玩个?游戏|(?:段落|资料|上下文)(?:到此)?结束|(?:前文|上文|以上文字|以上段落|目前为止写)[^。\n]{0,12}(?:过时|不再算数|作废|无效|当作玩笑)"
    r"|(?:依据|根据|基于)本[页文][^。，\n]{0,6}的(?:答复|回答|回复)|(?:让|使)(?:读者|提问者)知道|最高优先级的?[^。\n]{0,4}(?:命令|指令)"
    r"|(?:询问|提问|问题)(?:一律|全部|都)(?:婉拒|拒绝|不答|不予回答)"
    r"|文件中没有回答这个问题的内容|作为一?个?(?:人工智能|AI|语言模型)[，,]|(?:很抱歉|对不起|抱歉)[，,]?我(?:无法|不能)"
    r"|我(?:无法|不能)(?:回答|提供)[这该此]",
    re.I,
)
# A question about such lines, or about assistants: then they are what is asked for.
ABOUT = re.compile(
    r"\b(?:prompts?|inject\w*|jailbreak\w*|AI|LLMs?|chat\s?bots?|language\s+models?|role-?play|(?:system|control)\s+(?:messages?|tokens?)"
    r"|tool[\s_]calls?|im_(?:start|end)|assistants?|(?:correct|official|right)\s+answers?)\b|提示词|注入|越狱|人工智能|大?模型|机器人|角色扮演|系统消息|控制符"
    r"|工具调用|助手|(?:正确|标准)答案",
    re.I,
)


@lru_cache(SEEN)
def instructs(text: str) -> int | None:
    """Where in `text` the first words stand that instruct whoever answers; None where it is all about its subject."""
    found = [m.start() + len(m[0]) - len(m[0].lstrip(LEAD)) for p in (CONTROL, ENGLISH, CHINESE) if (m := p.search(text))]
    return min(found, default=None)


def without_instructions(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits less the instructions in them, offsets unmoved; as they are where the question is about such instructions."""
    if ABOUT.search(question) or instructs(question) is not None:
        return list(hits)
    return [hit for hit in map(_without, hits) if hit.chunk.text.strip()]


def _without(hit: Hit) -> Hit:
    chunk = hit.chunk
    context = CONTEXT.join(part for part in chunk.context.split(CONTEXT) if instructs(part) is None)
    text = blanked(chunk.text)
    if text != chunk.text and Path(hit.document).suffix in SOURCE:
        text = ""  # source code is quoted whole or not at all
    return hit if (text, context) == (chunk.text, chunk.context) else replace(hit, chunk=replace(chunk, text=text, context=context))


@lru_cache(SEEN)
def blanked(text: str) -> str:
    """`text` with line breaks in place of each instruction and of what follows it in its paragraph or row: no quote runs over them."""
    at = 0
    while (found := instructs(text[at:])) is not None:
        above = text.rfind("\n\n", 0, at + found) + 1
        start = above + max(a for a, _ in sentences(text[above : at + found] + "x"))
        after = NEXT.search(text, at + found + 1)
        at = after.start() if after else len(text)
        text = text[:start] + "\n" * (at - start) + text[at:]
    return text
