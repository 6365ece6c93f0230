"""Defines what a clearing statement is made of: columns by their field name, sheets of rows, and what they are of."""

from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from ledger.refusals import LedgerError

#: How the cells of a column are written: yuan, a count, basis points, or what stands for a thing.
FEN, COUNT, RATIO, REGION, PERIOD, DAY, TIME, CODE, TEXT = (
    "fen",
    "count",
    "ratio",
    "region",
    "period",
    "day",
    "time",
    "code",
    "text",
)
SUMMED = (FEN, COUNT)


class StatementError(LedgerError):
    """Is a statement that cannot be issued or recognised: expected, got, what to do."""


class Field(NamedTuple):
    """Is a column: its heading in Chinese and in English, and how its cells are written."""

    zh: str
    en: str
    unit: str


FIELDS: dict[str, Field] = {
    "period": Field("清算期", "period", PERIOD),
    "month": Field("业务月", "month", PERIOD),
    "insured_region": Field("参保地", "insured region", REGION),
    "treatment_region": Field("就医地", "treatment region", REGION),
    "insured_province": Field("参保省", "insured province", REGION),
    "treatment_province": Field("就医省", "treatment province", REGION),
    "counterpart": Field("对方地区", "counterpart", REGION),
    "region": Field("地区", "region", REGION),
    "insutype": Field("险种", "insurance type", CODE),
    "clr_type": Field("清算类别", "clearing type", CODE),
    "med_type": Field("医疗类别", "care", CODE),
    "psn_type": Field("人员类别", "person class", CODE),
    "role": Field("角色", "role", TEXT),
    "scope": Field("异地范围", "scope", TEXT),
    "channel": Field("结算渠道", "channel", TEXT),
    "category": Field("类别", "category", TEXT),
    "payer": Field("付款方", "payer", TEXT),
    "payee": Field("收款方", "payee", TEXT),
    "fixmedins_code": Field("定点医药机构", "institution", TEXT),
    "setl_id": Field("结算ID", "setl_id", TEXT),
    "medins_setl_id": Field("机构结算ID", "medins_setl_id", TEXT),
    "init_setl_id": Field("原结算ID", "init_setl_id", TEXT),
    "token": Field("人员代号", "person token", CODE),
    "case": Field("扣款案号", "case", TEXT),
    "claim": Field("日志位置", "log position", CODE),
    "begndate": Field("开始日期", "begndate", DAY),
    "enddate": Field("结束日期", "enddate", DAY),
    "setl_time": Field("结算时间", "setl_time", TIME),
    "person_times": Field("人次", "person-times", COUNT),
    "settlements": Field("结算笔数", "settlements", COUNT),
    "refunds": Field("退费笔数", "refunds", COUNT),
    "medfee_sumamt": Field("医疗费总额", "total fee", FEN),
    "inscp_scp_amt": Field("范围内费用", "in scope", FEN),
    "hifp_pay": Field("统筹基金", "pool", FEN),
    "cvlserv_pay": Field("公务员补助", "civil servant", FEN),
    "hifes_pay": Field("企业补充", "supplementary", FEN),
    "hifmi_pay": Field("居民大病", "catastrophic", FEN),
    "hifob_pay": Field("职工大额", "large amount", FEN),
    "hifdm_pay": Field("伤残军人", "disabled", FEN),
    "maf_pay": Field("医疗救助", "assistance", FEN),
    "oth_pay": Field("其他基金", "other", FEN),
    "employee_fen": Field("职工基金", "employee funds", FEN),
    "resident_fen": Field("居民基金", "resident funds", FEN),
    "fund_pay_sumamt": Field("基金合计", "fund total", FEN),
    "acct_pay": Field("个人账户", "account", FEN),
    "psn_cash_pay": Field("个人现金", "cash", FEN),
    "psn_part_amt": Field("个人负担", "personal part", FEN),
    "hosp_part_amt": Field("医院负担", "hospital part", FEN),
    "due_fen": Field("本期应付", "due", FEN),
    "receivable_fen": Field("本期应收", "receivable", FEN),
    "net_fen": Field("净额", "net", FEN),
    "deducted_fen": Field("审核扣款", "audit deductions", FEN),
    "reimbursed_fen": Field("手工报销", "reimbursed by hand", FEN),
    "after_deductions_fen": Field("扣款后金额", "after deductions", FEN),
    "direct_times": Field("直接结算人次", "direct", COUNT),
    "direct_ratio": Field("直接结算率", "direct rate", RATIO),
    "avoided_fen": Field("减少垫资", "avoided advances", FEN),
    "amount_fen": Field("金额", "amount", FEN),
    "capitals": Field("金额大写", "in capitals", TEXT),
    "acts": Field("笔数", "acts", COUNT),
    "late_acts": Field("跨期笔数", "late", COUNT),
    "late_medfee_fen": Field("跨期总额", "late total fee", FEN),
    "allowed": Field("是否超期", "within terms", TEXT),
    "assumed_claims": Field("假定政策笔数", "under assumed policy", COUNT),
    "assumed_medfee_fen": Field("假定政策总额", "their total fee", FEN),
    "unchecked_claims": Field("未核笔数", "not checked", COUNT),
    "unchecked_medfee_fen": Field("未核总额", "their total fee", FEN),
    "quota_fen": Field("预付金额度", "advance quota", FEN),
    "year": Field("年度", "year", CODE),
    "given_fen": Field("已拨付", "given", FEN),
    "used_fen": Field("已用额度", "used", FEN),
    "used_ratio": Field("使用率", "usage", RATIO),
    "warning": Field("预警", "warning", TEXT),
    "what": Field("项目", "of", TEXT),
    "counterpart_key": Field("对象", "key", TEXT),
    "mean_fen": Field("前期均值", "mean before", FEN),
    "difference_fen": Field("差额", "difference", FEN),
    "break_key": Field("差异编号", "break", TEXT),
    "kind": Field("差异类型", "kind", TEXT),
    "status": Field("处理状态", "state", TEXT),
    "owner": Field("责任人", "owner", TEXT),
    "carried_periods": Field("已结转期数", "periods carried", CODE),
    "ours_fen": Field("我方金额", "ours", FEN),
    "theirs_fen": Field("对方金额", "theirs", FEN),
    "difference_ratio": Field("变动率", "change", RATIO),
    "rule": Field("支付规则", "rule", TEXT),
    "itemised_fen": Field("按项目基金", "itemised", FEN),
    "set_fen": Field("按机构应付", "to pay", FEN),
    "content": Field("内容", "content", TEXT),
    "source": Field("来源文件", "file", TEXT),
    "reason": Field("隔离原因", "reason", TEXT),
    "rows": Field("行数", "rows", COUNT),
    "unread": Field("金额无法读取", "amount unreadable", COUNT),
}  # fmt: skip

#: Words that stand in cells, by language; a code that is not here stands as it is.
WORDS: dict[str, tuple[str, str]] = {
    "insured": ("参保地", "insured place"),
    "treatment": ("就医地", "treatment place"),
    "same_city": ("本市", "same city"),
    "same_province": ("省内异地", "same province"),
    "cross_province": ("跨省异地", "cross province"),
    "direct": ("直接结算", "direct"),
    "manual": ("手工报销", "manual"),
    "outpatient": ("门诊", "outpatient"),
    "inpatient_drg": ("住院DRG", "inpatient by DRG"),
    "inpatient_other": ("住院非DRG", "other inpatient"),
    "maternity": ("生育", "maternity"),
    "within": ("期限内", "within"),
    "overdue": ("超期", "overdue"),
    "yellow": ("黄色预警", "yellow"),
    "red": ("红色预警", "red"),
    "counterpart": ("对方地区", "counterpart"),
    "fund": ("基金", "fund"),
    "institution": ("医药机构", "institution"),
    "region": ("地区", "region"),
    "none": ("", ""),
    "missing_here": ("我方无", "missing here"),
    "missing_there": ("对方无", "missing there"),
    "differs": ("不一致", "differs"),
    "duplicate": ("重复", "duplicate"),
    "other_period": ("清算期不同", "other period"),
    "unreadable": ("无法读取", "unreadable"),
    "found": ("已发现", "found"),
    "explained": ("已说明", "explained"),
    "carried": ("已结转", "carried"),
    "intake": ("结算", "claims"),
    "lines": ("费用明细", "fee lines"),
}
STATES = {
    "open": ("开放", "open"), "cut_off": ("已截止", "cut off"), "drafted": ("已制表", "drafted"),
    "checked": ("已复核", "checked"), "signed": ("已签章", "signed"), "sealed": ("已封存", "sealed"),
}  # fmt: skip
INSUTYPES = {310: ("职工", "employee"), 340: ("离休", "retired cadre"), 390: ("居民", "resident"),
             510: ("生育", "maternity")}  # fmt: skip
CLEARING_TYPES = {11: ("门诊", "outpatient"), 14: ("门诊慢特病", "chronic"), 21: ("住院", "inpatient"),
                  41: ("药店购药", "pharmacy"), 51: ("生育", "maternity")}  # fmt: skip
LANGUAGES = ("zh", "en")


class Sheet(msgspec.Struct, frozen=True, dict=True):
    """Is one table: its name and titles, its columns by field name, its rows in order."""

    name: str
    zh: str
    en: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    @cached_property
    def totals(self) -> tuple[int | None, ...]:
        """Returns the sum of each column that counts or is money, None for the others; exact."""
        cells = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        return tuple(
            sum(column) if FIELDS[name].unit in SUMMED else None
            for name, column in zip(self.columns, cells, strict=True)
        )

    def title(self, lang: str) -> str:
        """Returns the title in a language."""
        return self.zh if lang == "zh" else self.en


class Issued(msgspec.Struct, frozen=True):
    """Is a clearing statement as issued: of what, as of which log position, proven by which root, in which sheets.

    ``root`` is that of the tree over the first ``position`` events. ``remarks`` are (what, count, fen); people are
    empty where nobody acted yet.
    """

    kind: str
    period: int
    region: int | None
    state: str
    position: int
    root: str
    recorded_at: int
    terms: str
    drafted_by: str
    checked_by: str
    signed_by: str
    remarks: tuple[tuple[str, int, int], ...]
    sheets: tuple[Sheet, ...]

    def reference(self, lang: str) -> str:
        """Returns the line that names this very statement: with the log it is enough to draw it up again."""
        region = f"{self.region:06d}" if self.region is not None else "all"
        return (
            f"settlement-statement/1 kind={self.kind} period={self.period} region={region} lang={lang}"
            f" position={self.position} root={self.root}"
        )


#: What a remark is about, by its code.
REMARKS = {
    "late": ("跨期结算", "claims late, booked behind their own month"),
    "overdue": ("超期结转", "claims carried beyond the terms"),
    "assumed": ("假定政策", "claims under an assumed policy"),
    "unchecked": ("未核政策", "claims whose region has no enacted policy"),
    "deducted": ("审核扣款", "audit deductions"),
    "by_hand": (
        "其中手工报销：付给本人，不向医药机构和就医地支付",
        "of these reimbursed by hand: paid to the persons, and to no institution and no other region",
    ),
    "carried": ("未了结对账差异（差额绝对值）", "open breaks carried (differences without their sign)"),
    "quarantined": (
        "隔离结算行（总费用绝对值，不在账内）",
        "rows of claims quarantined while the period was open (total fees without their sign, in no book)",
    ),
    "quarantined_lines": (
        "隔离费用明细行（金额绝对值，不在账内）",
        "fee lines quarantined while the period was open (amounts without their sign, in no book)",
    ),
    "unplaced": (
        "地区不明的隔离行（含费用明细行，不在账内）",
        "quarantined rows that no region can be read of, fee lines among them (in no book)",
    ),
    "unread": ("其中金额无法读取的行", "of the quarantined, rows whose amount cannot be read"),
    "mended": ("隔离后更正入账行", "rows that came back from quarantine mended and were booked"),
}


def cell_text(name: str, value: Any, lang: str) -> str:
    """Returns a cell as text: amounts in yuan, ratios as decimals, codes with nothing added.

    Words are in the language; without one (``lang`` empty) they stay the codes they are.
    """
    from ledger.money import yuan_text

    match FIELDS[name].unit:
        case "fen":
            return yuan_text(value)
        case "ratio":
            return (
                "" if value is None else f"{'-' if value < 0 else ''}{abs(value) // 10_000}.{abs(value) % 10_000:04d}"
            )
        case "region":
            return f"{value:06d}"
        case "period":
            return f"{value // 100:04d}-{value % 100:02d}"
        case "day":
            return f"{value // 10_000:04d}-{value // 100 % 100:02d}-{value % 100:02d}"
        case "time":
            text = f"{value:014d}"
            return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:]}"
        case "text" if lang and value in WORDS:
            return WORDS[value][LANGUAGES.index(lang)]
    return str(value)


def shown(name: str, value: Any, lang: str) -> str:
    """Returns a cell's text for people: codes with their meaning beside them."""
    named = {"insutype": INSUTYPES, "clr_type": CLEARING_TYPES}.get(name, {})
    text = cell_text(name, value, lang)
    return f"{text} {named[value][LANGUAGES.index(lang)]}" if value in named else text
