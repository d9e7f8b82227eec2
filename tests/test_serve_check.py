"""The citation check on the shipped documents' own sentences, on labelled pairs, and what it reads as a quantity."""

import random
import re
from pathlib import Path

import pytest

import serve.reading
from corpora import load_profile, profile_names
from ingest.readers import read, readable
from ingest.sentences import sentences
from serve.check import LISTED, check
from serve.quantities import quantities
from tests.bench.citations import pairs, passes, score

DAY = 86400.0
LIMITS = "| Water | 80 °C | 95 °C |\n| Oil | 70 °C | 90 °C |"
SYNONYMS = Path(serve.reading.__file__).with_name("synonyms.txt")
OTHER_UNITS = {
    "days?": "weeks", "hours?": "minutes", "months?": "years", "minutes?": "hours", "business days": "days", "years?": "months", "h": "s",
    "mm": "cm", "kg": "g", "bar": "mbar", "°C": "°F", "%": " ‰", "kW": "W", "N·m": "kN", "L": "mL", "V": "kV", "seconds?": "minutes",
    "日": "个月", "天": "小时", "个月": "年", "小时": "分钟", "分钟": "小时", "年": "个月", "个工作日": "个月", "毫米": "厘米",
    "元": "万元", "公斤": "克", "℃": "%",
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> list[str]:
    """Sentences of the shipped documents, those that claim something."""
    found = []
    for name in profile_names():
        for path in sorted(load_profile(name).sources[0].rglob("*")):
            if path.suffix in (".md", ".csv") and readable(path):
                text = read(path).text
                found += [text[start:end] for start, end in sentences(text)]
    chosen = random.Random(3).sample(found, 800)
    return [sentence for sentence in chosen if check(sentence, sentence).why != "no claim"]


def test_every_sentence_supports_itself(shipped: list[str]) -> None:
    assert len(shipped) > 700
    assert [s for s in shipped if check(s, s).support != "supported"] == []


def test_a_copy_with_another_figure_never_passes(shipped: list[str]) -> None:
    dice, changed = random.Random(5), 0
    for sentence in shipped:
        numbered = LISTED.match(sentence)  # which step it is, is no claim
        places = [m.start() for m in re.finditer(r"\d", sentence) if not numbered or m.start() >= numbered.end()]
        if not places:
            continue
        at = dice.choice(places)
        digit = dice.choice([d for d in "23456789" if d != sentence[at]])
        copy = sentence[:at] + digit + sentence[at + 1 :]
        if {(q.value, q.dimension) for q in quantities(copy)} <= {(q.value, q.dimension) for q in quantities(sentence)}:
            continue  # the figures merely changed places, or it is no figure but part of a name
        changed += 1
        assert check(copy, sentence).support != "supported", f"{copy!r} for {sentence!r}"
    assert changed > 200


def test_a_copy_with_another_unit_never_passes(shipped: list[str]) -> None:
    changed = {"en": 0, "zh": 0}
    for sentence in shipped:
        for old, new in OTHER_UNITS.items():
            copy, times = re.subn(rf"(?<=\d)(\s?){old}(?![A-Za-z]|/)", rf"\1{new}", sentence, count=1)
            if not times or quantities(copy) == quantities(sentence):
                continue
            if {(q.value, q.dimension) for q in quantities(copy)} <= {(q.value, q.dimension) for q in quantities(sentence)}:
                continue  # it is now another of the sentence's own figures
            changed["zh" if max(sentence) >= "\u4e00" else "en"] += 1
            assert check(copy, sentence).support != "supported", f"{copy!r} for {sentence!r}"
    assert changed["en"] > 60 and changed["zh"] > 60, changed


def test_lines_of_synonyms_are_whole() -> None:
    lines = [line for line in SYNONYMS.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    assert len(lines) == len(set(lines)) and all(line.count("|") <= 1 for line in lines)
    assert all(word.strip() for line in lines for side in line.split("|") for word in side.split(","))


@pytest.mark.parametrize(
    ("lang", "half", "least"), [("en", "fit", 0.84), ("zh", "fit", 0.89), ("en", "more-fit", 0.68), ("zh", "more-fit", 0.72)]
)
def test_labelled_pairs(lang: str, half: str, least: float) -> None:
    rows = pairs(half, lang)
    assert score([passes(row) for row in rows], [row["label"] == "supported" for row in rows])[2] >= least
    assert all(check(row["sentence"], row["span"], row["context"]).why for row in rows if not passes(row)), "a fall has a reason"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("within 30 days of receipt", [(30 * DAY, "time", "at most")]),
        ("三十日内", [(30 * DAY, "time", "at most")]),
        ("2 weeks", [(14 * DAY, "time", "")]),
        ("10 business days", [(10, "working day", "")]),
        ("不少于二年", [(24, "month", "at least")]),
        ("不超过半小时", [(1800, "time", "at most")]),
        ("no less than 5 hours", [(18000, "time", "at least")]),
        ("between 6 and 8 bar", [(600_000, "pressure", ""), (800_000, "pressure", "")]),
        ("120 N·m", [(120, "torque", "")]),
        ("120牛·米", [(120, "torque", "")]),
        ("up to €14,000", [(14000, "€", "at most")]),
        ("18.6万元", [(186000, "¥", "")]),
        ("万分之三", [(0.0003, "share", "")]),
        ("once per shift", [(1, "shift", "")]),
        ("每季度一次", [(3, "month", ""), (1, "", "")]),
        ("by 6 p.m.", [(18 * 60, "clock", "")]),
        ("18:00", [(18 * 60, "clock", "")]),
        ("on 5 November 2026", [(20261105, "date", "")]),
        ("2026年11月5日", [(20261105, "date", "")]),
        ("part SC-40, TW-1204, M10", []),
        ("within twenty-one (21) days", [(21 * DAY, "time", "at most")]),
        ("三十（30）日内", [(30 * DAY, "time", "at most")]),
        ("half an hour", [(1800, "time", "")]),
        ("an hour and a half", [(5400, "time", "")]),
        ("a quarter of an hour", [(900, "time", "")]),
        ("twice a year", [(6, "month", "")]),
        ("每年两次", [(6, "month", "")]),
        ("at least once every 60 days", [(60 * DAY, "time", "at most")]),
        ("三分之二", [(0.666666667, "share", "")]),
        ("a tenth of the price", [(0.1, "share", "")]),
        ("两成", [(0.2, "share", "")]),
        ("1.5 thousand dollars", [(1500, "$", "")]),
        ("by 31 March", [(331, "day", "")]),
        ("十月十五号", [(1015, "day", "")]),
        ("下午四点", [(16 * 60, "clock", "")]),
        ("they may 5 times", [(5, "", "")]),
        ("5 declined, 3 marked, 2 separate lids", [(5, "", ""), (3, "", ""), (2, "", "")]),
        ("5 Sept. and 6 december", [(905, "day", ""), (1206, "day", "")]),
        ("no increase shall exceed 4%", [(0.04, "share", "at most")]),
        ("at or below 5 °C", [(5, "°C", "at most")]),
        ("第三人", []),
        ("15千瓦时", [(15 * 3.6e6, "energy", "")]),
        ("80平方米", [(80, "area", "")]),
        ("5 mW, 5 MW", [(0.005, "power", ""), (5e6, "power", "")]),
        ("500 mg", [(0.0005, "mass", "")]),
        ("20 % off the price", [(0.8, "share", "")]),
        ("八折", [(0.8, "share", "")]),
        ("九五折", [(0.95, "share", "")]),
        ("便宜两成", [(0.8, "share", "")]),
        ("费用各半", [(0.5, "share", "")]),
        ("4月下旬", [(420, "ten days", "")]),
        ("上午9时30分", [(570, "clock", "")]),
        ("the third warning, 第三次", [(3, "rank", ""), (3, "rank", "")]),
        ("no team enters more than 9 riders", [(9, "", "at most")]),
        ("never may fewer than 4 be there", [(4, "", "at least")]),
        ("after 8 years at the latest", [(96, "month", "at most")]),
        ("2 kgf·m", [(19.6133, "torque", "")]),
        ("四点二十, 下午三点十分", [(260, "hour", ""), (910, "clock", "")]),
        ("夜里11点15分", [(1395, "clock", "")]),
        ("一个半小时, 一点五米", [(5400, "time", ""), (1500, "length", "")]),
        ("an hour and a quarter", [(4500, "time", "")]),
        ("half a dozen cubes", [(6, "", "")]),
        ("it must not be taller than 3 m", [(3000, "length", "at most")]),
        ("if it is not used for more than 3 h", [(10800, "time", "at least")]),
        ("not later than 2 days before the race", [(2 * DAY, "time", "at least")]),
        ("no pass is given to anyone under 12", [(12, "", "at least")]),
        ("不到30分钟", [(1800, "time", "at most")]),
        ("应高于5米, 不应高于5米", [(5000, "length", "at least"), (5000, "length", "at most")]),
        ("1:2.5", [(0.4, "ratio", "")]),
        ("三比一", [(3, "ratio", "")]),
        ("CP-80: 45 N·m", [(45, "torque", "")]),
        ("sensors B1, B2: 10 kΩ", [(10_000, "resistance", "")]),
        ("第5步：30分钟", [(5, "rank", ""), (1800, "time", "")]),
    ],
)
def test_quantities(text: str, expected: list[tuple[float, str, str]]) -> None:
    assert [(q.value, q.dimension, q.bound) for q in quantities(text)] == expected


@pytest.mark.parametrize(
    ("sentence", "span", "why"),
    [
        ("The pump is serviced every 6 months.", "Service the pump every 3 months.", "another figure"),
        ("The load on the hook is at most 5 t.", "The load on the hook is at least 5 t.", "another bound"),
        ("Fault F17 means low oil, fault F18 a blocked filter.", "F17: low oil. F19: blocked filter.", "another code"),
        ("连杆盖的单重为86千克。", "| 名称 | 单重（kg） |\n| 轴承座 | 86 |\n| 连杆盖 | 39 |", "a figure of something else"),
        ("乙方办公用房的水电费由甲方承担。", "公共区域的水电费由甲方承担，乙方办公用房的水电费由乙方承担。", "another"),
        ("The tenant may keep the keys of the store.", "The tenant shall keep the keys of the store.", "a duty made a choice"),
        ("The valve must not be closed during the test.", "The valve must be closed during the test.", "negated"),
        ("Close the valve and call the plant manager.", "Close the valve.", "added"),
        ("The seal is checked by the foreman.", "The fitter shall check the seal.", "another does it"),
        ("报废由财务处批准。", "报废由设备科批准。", "another does it"),
        ("转租须经监理单位同意。", "转租须经出租单位同意，监理单位到场见证。", "another does it"),
        ("The oil filter is changed every 6 months.", "Change the air filter every 6 months, the oil filter every 9 months.", "a"),
        ("本科新生的借期为60天。", "研究生借期为60天，本科新生借期为30天。", "a figure of something else"),
        ("The delay is given in milliseconds.", "The delay is given in seconds.", "another unit"),
        ("A gift can be entered in the register if one likes.", "A gift must be entered in the register.", "a duty made a choice"),
        ("Entering a gift in the register is compulsory.", "A gift may be entered in the register.", "a duty that is none"),
        ("Any visitor can use the workshop.", "Only a visitor with a badge can use the workshop.", "all for some"),
        ("先验电，后挂接地线。", "先挂接地线，后验电。", "another order"),
        ("The hose is loosened before the test.", "The hose is tightened before the test.", "the opposite"),
        ("The bonus is €900 net.", "A gross bonus of €900 is paid in May.", "counted otherwise: net"),
        ("大楼正好高62米。", "大楼高约62米。", "counted otherwise: 正好"),
        ("A member pays 15 euros.", "Members pay 9 euros. Guests pay 15 euros.", "a figure of something else"),
        ("The rent is £300, the bond is paid once.", "The rent is £700. The bond is £300 and is paid once.", "a figure of something else"),
        ("Keep fish and soup from 2 °C to 60 °C.", "Keep fish from 2 °C to 9 °C and soup from 40 °C to 60 °C.", "the ends of two ranges"),
        ("The second issue brought the map.", "The second issue came late. The third issue brought two maps.", "a figure of"),
        ("迟到满五次的，扣发奖金。", "迟到满五次的，口头提醒；满八次的，扣发奖金。", "a figure of something else"),
        ("第二批货在5月上旬到。", "第一批货于5月上旬到，第二批货于5月下旬到。", "a figure of something else"),
        ("The oil is changed every 90 hours.", "After the change run 90 hours with the new oil and drain it.", "counted otherwise: every"),
        ("The dinner costs 30 % of the old price.", "The dinner is now 30 % off.", "another figure"),
        ("The report is due 3 days before the visit.", "The report is due within 3 days of the visit.", "the opposite"),
        ("货物验收前支付六成。", "签约时支付两成，货物验收后支付六成。", "the opposite: 验收前"),
        ("The gap must be at most 3 mm.", "Set the gap from 3 to 8 mm.", "another bound"),
        ("电压应高于240V。", "电压应保持在200V至240V。", "another bound"),
        ("迟交的，每月收千分之二的罚金。", "会费于每月8日前交。迟交的，每日收千分之二的罚金。", "counted otherwise: 每月"),
    ],
)
def test_a_fall_says_why(sentence: str, span: str, why: str) -> None:
    verdict = check(sentence, span)
    assert verdict.support != "supported" and verdict.why.startswith(why), verdict


@pytest.mark.parametrize(
    ("sentence", "span"),
    [
        ("Visits of 40 minutes need a permit.", "If a visit lasts more than 30 minutes, it needs a permit."),
        ("The deposit is paid back by the owner in three weeks.", "The owner shall return the deposit within 21 days."),
        ("The tank is inspected twice a year.", "Inspect the tank every 6 months."),
        ("押金由房东在30天内退给租客。", "房东应当在三十日内将押金返还租客。"),
        ("金额为6万元的采购，须报总经理审批。", "采购金额超过5万元的，须报总经理审批。"),
        ("除紧急情况外，机组运行时不得开盖。", "机组运行时不得打开盖板，紧急情况除外。"),
        ("With the pass, the tour is 25 % cheaper.", "Holders of the pass pay three quarters of the price of a tour."),
        ("On the bridge no more than 50 km/h are allowed.", "The limit in the village is 30 km/h (on the bridge 50)."),
        ("Keep the gap between 3 and 8 mm.", "The gap shall be not less than 3 mm and not more than 8 mm."),
        ("晚上九点以后不准弹琴。", "21时以后，禁止弹琴。"),
        ("The shop is open until 18:00.", "The shop is open from 10:00 to 18:00."),
        ("箱温不得低于2℃，不得高于8℃。", "箱温应保持在2℃至8℃。"),
        ("The fee is due every month and is £30.", "The monthly fee is £30, paid every 3 months."),
        ("Put no more than 40 kg on the rack.", "The rack carries at most 40 kg."),
        ("It is shut down at 50 degrees.", "The pump is shut down when it reaches 50 °C."),
        ("One drop of oil is put on the chain every ten hours.", "Every ten hours put a drop of oil on the chain. Use chain oil only."),
    ],
)
def test_the_same_in_other_words_passes(sentence: str, span: str) -> None:
    assert check(sentence, span).support == "supported", check(sentence, span)


def test_a_company_is_the_party_that_the_context_says() -> None:
    context = "供货合同（买方：青禾公司；卖方：北辰公司） › 第三条"
    assert check("运费由北辰公司承担。", "运费由卖方承担。", context).support == "supported"
    assert check("运费由青禾公司承担。", "运费由卖方承担。", context).support == "unsupported"


@pytest.mark.parametrize(
    ("sentence", "span", "context", "why"),
    [
        ("Room B2 costs 90 euros.", "| B2 | 60 euros | 90 euros |", "Rooms › Room | Low season | High season", ""),
        ("In low season, B2 costs 90 euros.", "| B2 | 60 euros | 90 euros |", "Rooms › Room | Low season | High season", "a figure of"),
        ("经理出差到一类城市，每晚380元。", "| 经理 | 500元/晚 | 380元/晚 |", "标准 › 职级｜一类城市｜二类城市", "a figure of another"),
        ("The minimum flow of the pump is 125 m³/h.", "Maximum flow | 125 m³/h", "Pump › Data: Item | Value", "the opposite: minimum"),
        ("The pump's maximum flow is 125 m³/h.", "Maximum flow | 125 m³/h", "Pump › Data: Item | Value", ""),
        ("The pump stops at 80 °C.", LIMITS, "Limits: Of | Alarm at | Stop at", "a figure of"),
        ("The pump stops when the oil reaches 90 °C.", LIMITS, "Limits: Of | Alarm at | Stop at", ""),
        ("Fees came to £480 in 2024.", "| Fees | 480 | 510 |\n| Gifts | 20 | 30 |", "In £ thousand: Item | 2024 | 2025", "another"),
        ("2. The lid bolts take 17 N·m.", "M8 | 17 N·m | 25 N·m", "Torques › 2 Lid bolts: Bolt | Steel | Alloy", "a figure of"),
        ("The lid bolts, M8, take 17 N·m in steel.", "M8 | 17 N·m | 25 N·m", "Torques › 2 Lid bolts: Bolt | Steel | Alloy", ""),
        ("The oil charge is 4 mg/m³.", "Residual oil in the air | 4 mg/m³ | 4 mg/m³", "Data: Item | A | B", "a figure of"),
        ("The oil charge is 21 L.", "Oil charge, total | 21 L", "Data: Item | Value", ""),
        ("The oil charge is 5 kg.", "Charge | 5 kg", "Refrigerant: Item | Value", "a figure of"),
        ("The height is 300 mm.", "length × width × height | 300 × 200 × 900 mm", "Data: Item | Value", "a figure of"),
        ("The height is 900 mm.", "length × width × height | 300 × 200 × 900 mm", "Data: Item | Value", ""),
        ("The water flow is 7 m³/h.", "Water flow, lowest permitted | 7 m³/h", "Data: Item | Value", "a bound"),
        ("The motor turns at 3000 rpm.", "Speed of the motor | 900 to 3000 rpm", "Data: Item | Value", "an end of a range"),
        ("The mass of the pump is 2.3.", "Item | Steel pump | Brass pump", "Manual › 2.3 Masses", "another figure"),
        ("Adjust the actuator to 4 mm engagement.", "E03 | Door open | Switch bent | Close it, adjust the actuator to 4 mm engagement",
         "Faults: Code | Meaning | Cause | Remedy", ""),
        ("Adjust the actuator to 5 mm engagement.", "E03 | Door open | Switch bent | Close it, adjust the actuator to 4 mm engagement",
         "Faults: Code | Meaning | Cause | Remedy", "another figure"),
        ("The strainer is looked at every 6 months.", "6 months | Alignment check; strainer; coupling", "Interval | Work", ""),
        ("The belt is looked at every 6 months.", "6 months | Alignment check; strainer; coupling", "Interval | Work", "other words"),
        ("Fingerprint templates are kept for 6 days.", "Fingerprint templates | 3 days", "Policy › Article 6. Retention: Record | Kept for",
         "another figure"),
        ("Under Article 6 fingerprint templates are kept for 3 days.", "Fingerprint templates | 3 days",
         "Policy › Article 6. Retention: Record | Kept for", ""),
        ("Customs export has a prefetch of 5.", "Customs export | 300 s | 2", "Profiles: Service | lease | prefetch", "another figure"),
        ("Customs export has a lease of 300.", "Customs export | 300 s | 2", "Profiles: Service | lease | prefetch", ""),
        ("The fault GR-04 of GR5-0817 meant a downtime of 195 minutes.", "GR5-0817 | GR-04 | Would not start | 195",
         "log: serial | code | symptom | downtime_min", ""),
        ("The fault GR-04 of GR5-0817 meant a downtime of 195 hours.", "GR5-0817 | GR-04 | Would not start | 195",
         "log: serial | code | symptom | downtime_min", "another figure"),
        ("P07 has a range of 240 s to 900 s.", "P07 | Run-on time | 240 s | 60 to 900 s", "N3: Parameter | Meaning | Setting | Range",
         "a figure of another column"),
        ("P07 has a range of 60 to 900 s.", "P07 | Run-on time | 240 s | 60 to 900 s", "N3: Parameter | Meaning | Setting | Range", ""),
        ("The default of max_attempts is 1.", "max_attempts | 7 | 1 to 25", "Config: Setting | Default | Range",
         "a figure of another column"),
        ("The default of max_attempts is 7.", "max_attempts | 7 | 1 to 25", "Config: Setting | Default | Range", ""),
        ("Seal 80-210 was worn out after 9100 h.", "CP-P09 | Seal 80-1211 worn out after 9100 h | 210", "log: code | action | minutes",
         "another code: 80-210"),
        ("Seal 80-1211 was worn out after 9100 h.", "CP-P09 | Seal 80-1211 worn out after 9100 h | 210",
         "log: code | action | minutes", ""),
        ("12毫米板的电流为60 A。", "| 板厚（mm） | 电流（A） |\n|---|---|\n| 6 | 60 |\n| 12 | 100 |", "", "a "),
    ],
)
def test_tables(sentence: str, span: str, context: str, why: str) -> None:
    assert check(sentence, span, context).why.startswith(why) and (check(sentence, span, context).support == "supported") == (not why)


@pytest.mark.parametrize(
    "unit",
    ["a1", "(a)", "1,", "从1到", "A1-", "甲方", "no not ", "|", "甲。", "一二三", "先后再", "it shall pay by ", "two and a half ",
     "from 1 to ", "1 ", "1:", "1-", "1"],
)
def test_no_document_makes_the_check_hang(unit: str) -> None:
    sentence = "The valve is closed by the plant manager."
    for span in (unit * 500 + sentence, f"{unit * 500} {sentence}"):
        assert check(sentence, span).support in ("supported", "partly", "unsupported")
    assert check(f"{sentence} {unit * 1900}", unit * 1900).support in ("supported", "partly", "unsupported")


def test_times_of_day_are_told_apart() -> None:
    span = "Somebody reads it between 08:00 and 17:00 on working days."
    assert check("Somebody reads it between 08:00 and 20:00 on working days.", span).why == "another figure: 20:00"
    assert check("Somebody reads it between 8 a.m. and 5:00 p.m. on working days.", span).support == "supported"
    assert [q.value for q in quantities("11:31 p.m., 11:31 am, 23:31")] == [1411, 691, 1411]


def test_a_number_of_a_thing_is_no_day() -> None:
    assert [q.dimension for q in quantities("一号章由综合管理部保管，3号泵停运。")] == ["", ""]
    assert quantities("每月5号前缴纳")[-1].dimension == quantities("每月五日前缴纳")[-1].dimension == "time"
    span = "第三十一条 合同专用章共三枚，一号章由综合管理部保管，二号章由华南分公司保管，三号章由进出口部保管。"
    assert check("合同专用章确需外带的，应当在二十四小时内归还。", span).support == "unsupported"


def test_a_figure_that_stands_beside_nothing_of_the_sentence_is_of_something_else() -> None:
    span = "4. Set the oil counter in the controller to the new interval. It accepts steps of 100 h only."
    assert check("The oil is changed every 100 hours.", span, "Service Bulletin › What to do now").support == "unsupported"
    assert check("The counter accepts steps of 100 h.", span).support == "supported"
