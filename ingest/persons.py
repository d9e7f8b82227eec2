"""Names of people, where a rule can tell: after 姓名 or 联系人, before 先生, after Mr. or "Signed by", in a column of names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ingest.identifiers import rule

HAN = "一-鿿"
GIVEN = f"(?![的了是在和与及某们这那我你他她它不各每其])[{HAN}]"
# Without those that mostly begin other words after a label, such as 应, 向, 代, 双, 时
SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章云苏潘葛奚范彭郎鲁韦马苗凤方俞任袁柳鲍史唐费"
    "廉岑薛雷贺倪汤滕殷罗毕郝邬安常于傅皮卞齐康伍余顾孟黄穆萧尹姚邵湛汪祁毛禹狄米贝臧戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵贾路娄江童"
    "颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万柯管卢莫房裘缪丁宣邓洪石崔吉龚程嵇邢裴陆荣翁荀甄曲储靳段焦巴牧谷车侯班仇栾甘厉祖武符刘"
    "景詹龙叶司韶郜黎薄印宿白怀蒲鄂索赖卓蔺屠蒙池乔闻党翟谭劳姬申扶冉郦雍璩桑桂濮牛寿边冀温庄晏柴瞿阎慕茹习艾鱼容古易慎戈廖庾"
    "衡耿弘匡寇欧沃蔚隆师巩聂晁敖冷訾阚那简饶曾关蒯荆游竺盖岳肖闫覃佟郁单苑丛辛邰逯隋丘涂帅栗褚"
)
COMPOUND = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|夏侯|司徒|端木|南宫|长孙|宇文|轩辕|独孤|澹台|呼延"
NO_NAME_ZH = rule(  # how other words begin that could stand there
    "安(?:全|装|排|监|保)|白[班天]|班[组长次]|边[界缘]|常[务规年用见]|车[间队辆站]|成[员本]|程[序度]|单[位元据价独]|党[委员支组]|段长|方[式法面案可向]|"
    "费用|高[级压温度层管薪]|关[于键闭联]|管[理道线]|华[东南北]|季度|简历|江苏|江西|金[额属融]|纪[检委要]|经[理营办]|景区|康复|劳[动务资]|冷却|林业|"
    "路[线段]|毛重|牧[区场]|那[么些]|皮带|任[务何职命免意]|容[器量]|荣誉|申[请报]|师[傅资]|施工|石[油料]|史料|司[机法局]|谈判|万[元一]|温度|武器|习惯|"
    "项目|许可|宣[传布]|严[格禁重]|颜色|易[损燃]|印[章刷]|游客|于[当每本次接收施开合前后上下其该约月年日是]|余[额下]|云[端平]|章[程节]|周[期边末一二三四五日]|祝贺|祖国|"
    "卓越|储[存备]|盖章|古代|简[称单要]|蓝色|黄色|房[屋间]|符合|福利|谷物|索[赔引]|卫生|魏晋|文[件本员]|何[时种处]|曲线|童工|蒙古"
)
# What may follow a name with no mark between
NEXT = (
    "性别|电话|手机|联系|身份|证件|职务|职位|岗位|单位|部门|工号|年龄|出生|民族|籍贯|住址|地址|邮箱|日期|时间|先生|女士|同志|小姐|"
    "等|签字|签名|签章|盖章|于\\d|已|审核|审批|批准|编制|校对|复核|负责|为|系|在|与|和|及|将|是"
)
ZH_NAME = rf"(?:(?:{COMPOUND}|[{SURNAMES}])(?:{GIVEN}){{1,2}}|[{SURNAMES}] {GIVEN})"
FOREIGN_ZH = rf"[{HAN}]{{1,8}}(?:[·•][{HAN}]{{1,8}}){{1,3}}"
ENDED = rf"(?=$|[^{HAN}·•]|{NEXT})"
TITLES_ZH = (
    "联系人|联络人|负责人|经办人|法定代表人|法人代表|委托代理人|授权代表|甲方代表|乙方代表|收货人|收件人|"
    "收款人|付款人|借款人|出借人|责任人"
)
LABELS_ZH = (
    "姓名|签字人?|签名|签章|签署人|签发人|审核人?|审批人?|批准人?|编制人?|制表人?|校对|校核|复核|起草人?|拟稿人?|记录人?|报告人|申请人|填报人|填表人|"
    "寄件人|发件人|参会人员?|与会人员?|发货人|客户|患者|员工|职工|代表|检修人员?|维修人员?|维修工|操作人员?|操作员|操作者|检验人员?|检验员|质检员|验收人员?|监护人|主持人?|"
    "参加人员?|出席人员?|值班人员?|值班员|承办人|出租人|承租人|买受人|出卖人|保证人|担保人|投保人|被保险人|受益人|持证人|户主|驾驶员|司机|项目经理|班长|见证人|作者"
)
NOTE = r"(?:\([^()\n]{1,10}\))?"
LABELLED_ZH = rule(
    rf"(?:(?:{TITLES_ZH}){NOTE}[\s:|]{{0,4}}|(?:{LABELS_ZH}){NOTE} ?[:|][\s:|]{{0,4}})"
    rf"((?:{ZH_NAME}|{FOREIGN_ZH}){ENDED}(?:[、,] ?(?:{ZH_NAME}){ENDED}){{0,50}})"
)
BESIDE_ZH = rule(
    rf"({ZH_NAME})(?=先生|女士|小姐|同志|\((?:男|女|身份证|证件|护照|工号|电话|手机|性别|签字|签名)[^)\n]{{0,40}}\))"
)
ONE_ZH = rule(rf"{ZH_NAME}|{FOREIGN_ZH}")

UPPER, LOWER = "A-ZÀ-ÖØ-ÞĆČĐŁŚŠŽ", "a-zß-öø-ÿāăąćčďđēęěğīįłńňōőřśšťūůűźżž"
WORD_EN = rf"(?:[A-Z]['’])?[{UPPER}](?:[{LOWER}]+|[{UPPER}]+)(?:-[{UPPER}][{LOWER}]+)?"
INITIALS = r"(?: ?[A-Z]\.){0,2}"
FULL_EN = rf"(?:{WORD_EN}|[A-Z]\.){INITIALS}(?: (?:van|von|de|der|den|del|di|la|bin|al)){{0,2}} {WORD_EN}(?: {WORD_EN})?(?![\w-])"
TITLE_EN = r"\b(?:Mr|Mrs|Ms|Dr|Prof|MR|MRS|MS|DR)\.? "
TITLED_EN = rule(rf"{TITLE_EN}({FULL_EN})")
LONE_EN = rule(rf"{TITLE_EN}({WORD_EN})(?![\w-])")
SAID_BY = r"(?:signed|prepared|approved|reviewed|checked|written|issued|inspected|tested) by"
LABELS_EN = (
    r"(?:(?:full |customer |employee |driver(?:'s)? |patient )?name|(?:emergency )?contact(?: person)?|attn|attention|"
    rf"employee|driver|patient|witness|author|operator|technician|inspector|representative|signatory|{SAID_BY})"
)
LABELLED_EN = rule(
    rf"\b(?:(?i:{LABELS_EN}) ?[:|]\s?|(?:[Ss]igned|[Pp]repared|[Rr]eviewed|[Cc]hecked|[Ii]nspected) by )({FULL_EN})"
)
# From: Tom Birch <t.birch@example.org>
ADDRESSED = rule(rf"({FULL_EN}|{ZH_NAME})[\"']? ?<[^<>\s]{{1,64}}[@\]]")
# Words with a capital that stand after such a label and are nobody's name
NO_NAME_EN = frozenset(
    "address administration agreement air all and any application approval area assembly assurance authorised "
    "authority authorized bank bearing belt block board bodies body both box branch bureau cable center centre "
    "certificate check chief clerk code collective company competent compliance component compressor construction "
    "contact control controller cooler corporate corporation cover customer data date department description desk "
    "details development device director division document drive driver each electric electrical electronics energy "
    "engine engineer engineering equipment executive external facilities file filter finance frame gate gear "
    "general group head health her highness his human independent industrial information inspection inspector "
    "installation insurance internal international its lead legal lessee lessor level limited line llc logistics "
    "ltd machine main maintenance management manager manual manufacturing material materials metal model module "
    "motor name new number office officer oil operations operator order owner packaging panel part parts party pipe "
    "plant plate point power pressure procurement product production project property pump purchasing qualified "
    "quality receiver records reference repair research resources responsible room safety sales screen section "
    "security seller senior sensor serial service services shaft shift signature site software spare spares staff "
    "standard station steel supervisor supplier supply support switch system systems tank team technical technician "
    "technology temperature tenant test that the their third this title tool training transport type unit user "
    "valve vendor version warehouse water wheel works workshop".split()
)
COLUMN = rule(
    rf"(?:{TITLES_ZH}|{LABELS_ZH}|(?i:full name|employee|technician|inspector|operator|contact person|{SAID_BY})){NOTE}"
)


OF_A_PERSON = re.compile(
    r"(?i:(?:tele)?phone(?: number)?|tel\.?|mobile|e-?mail(?: address)?|(?:home )?address|date of birth|birthday|born|age|job title|salary)"
    r"|电话|手机|联系电话|邮箱|住址|出生日期|年龄"
)


def names_in(text: str) -> set[str]:
    """Full names that `text`, in half-width characters, says are names."""
    said = [name for m in LABELLED_ZH.finditer(text) for name in re.split("[、,] ?", m[1])]
    said += [m[1] for m in BESIDE_ZH.finditer(text)]
    said += [m[1] for rule in (LABELLED_EN, TITLED_EN, ADDRESSED) for m in rule.finditer(text)]
    return set(filter(_is_name, said))


def cells(header: str, row: str) -> Iterator[tuple[str, str, int]]:
    """`(column, cell, where the cell begins)` of a table's row; none where the row has not the header's columns."""
    columns, values = header.split(" | "), row.split(" | ")
    at = 0
    for column, value in zip(columns, values, strict=True) if len(columns) == len(values) else ():
        yield column.strip(), value, at
        at += len(value) + len(" | ")


def names_in_row(header: str, row: str) -> set[str]:
    """Names in those cells of a table's row that stand under a heading such as 姓名 or Technician."""
    table = list(cells(header, row))
    people = any(OF_A_PERSON.fullmatch(column) for column, _, _ in table)  # things have names too, but no telephone
    named = [cell for column, cell, _ in table if COLUMN.fullmatch(column) or (people and column.lower() in ("name", "names"))]
    return {name for cell in named for name in map(str.strip, re.split("[、,;]", cell)) if _is_name(name)}


def lone_surnames(text: str) -> Iterator[tuple[int, int]]:
    """Where a surname stands alone after Mr. and the like: elsewhere the word may be another."""
    return (m.span(1) for m in LONE_EN.finditer(text) if m[1].lower() not in NO_NAME_EN)


class Names:
    """A set of full names, found in a text in a time that does not grow with their number."""

    def __init__(self, names: Iterable[str]) -> None:
        self._heads: defaultdict[str, list[str]] = defaultdict(
            list
        )  # by the first two characters, the longest name first
        variants = {
            v for name in names for v in (name, name.upper(), name.replace(" ", "") if ONE_ZH.fullmatch(name) else name)
        }
        for name in sorted(variants, key=lambda n: (-len(n), n)):
            self._heads[name[:2]].append(name)
        firsts = "".join(sorted({head[0] for head in self._heads if head}))
        self._first = re.compile(f"[{re.escape(firsts)}]") if firsts else None

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where one stands, over a line's end too; a Latin one as whole words."""
        text = text.replace("\n", " ")
        for match in self._first.finditer(text) if self._first else ():
            at = match.start()
            for name in self._heads.get(text[at : at + 2], ()):
                if text.startswith(name, at) and (ONE_ZH.fullmatch(name) or _stands_apart(text, at, at + len(name))):
                    yield at, at + len(name)
                    break


def _stands_apart(text: str, start: int, end: int) -> bool:
    return not re.match(r"[\w-]", text[start - 1 : start], re.ASCII) and not re.match(
        r"[\w-]", text[end : end + 1], re.ASCII
    )


def _is_name(name: str) -> bool:
    if ONE_ZH.fullmatch(name):
        return not NO_NAME_ZH.match(name)
    return bool(re.fullmatch(FULL_EN, name)) and not NO_NAME_EN & set(re.split("[ .]", name.lower()))
