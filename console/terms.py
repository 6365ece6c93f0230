"""Names what policies and settlements speak of, in English and Chinese, for tables that a policy officer reads."""

import re
from typing import NamedTuple


class Term(NamedTuple):
    """Is one thing in both languages."""

    english: str
    chinese: str


#: The names in key paths of the policy language.
PARAMETERS = {
    "employee": Term("employees", "职工医保"),
    "resident": Term("residents", "居民医保"),
    "clearing": Term("clearing", "清算"),
    "inpatient": Term("inpatient", "住院"),
    "outpatient": Term("outpatient", "门诊"),
    "chronic": Term("chronic outpatient", "门诊慢特病"),
    "pharmacy": Term("pharmacy", "药店购药"),
    "day_surgery": Term("day surgery", "日间手术"),
    "off_site": Term("off-site", "异地就医"),
    "variant": Term("variant", "方式"),
    "no_filing_needed": Term("no filing needed", "免备案"),
    "med_types": Term("kinds of treatment", "医疗类别"),
    "same_province": Term("same province", "省内异地"),
    "cross_province": Term("cross province", "跨省异地"),
    "long_term": Term("long-term residence", "长期居住备案"),
    "referral": Term("referral", "转诊备案"),
    "emergency": Term("emergency", "急诊"),
    "temporary": Term("temporary", "临时外出备案"),
    "unfiled": Term("unfiled", "未备案"),
    "first_selfpay_counts_toward": Term("first self-pay counts toward", "先行自付计入"),
    "deductible_exempt_classes": Term("classes without deductible", "免起付线人群"),
    "deductible_after_ceiling": Term("deductible after the ceiling", "封顶后起付线"),
    "stay_below_deductible_counts": Term("a stay below the deductible counts", "未达起付线计住院次数"),
    "ceiling_yearly_payment": Term("yearly ceiling of payment", "年度封顶线"),
    "over_ceiling_amount": Term("over-ceiling amount", "超封顶额"),
    "further_funds_in_order": Term("further funds in order", "其他基金顺序"),
    "account_pays": Term("account pays", "个人账户支付范围"),
    "hifob": Term("large-amount fund", "职工大额"),
    "hifmi": Term("catastrophic fund", "居民大病"),
    "maf": Term("medical assistance", "医疗救助"),
    "ratio": Term("ratio", "支付比例"),
    "ratio_poor": Term("ratio of poor classes", "困难人群支付比例"),
    "yearly_cap": Term("yearly cap", "年度限额"),
    "yearly_threshold": Term("yearly threshold", "年度起付标准"),
    "over_ceiling_counts": Term("over-ceiling amount counts", "计入超封顶额"),
    "threshold": Term("threshold", "起付标准"),
    "threshold_poor": Term("threshold of poor classes", "困难人群起付标准"),
    "poor_classes": Term("poor classes", "困难人群"),
    "tiers": Term("tier", "分段"),
    "classes": Term("assistance class", "救助对象类别"),
    "policy": Term("the whole document", "全文"),
    "regions": Term("regions", "统筹区"),
    "prefixes": Term("further codes", "区划前缀"),
    "policy_date": Term("date of the values", "待遇日期"),
    "benefit_year_date": Term("date of the benefit year", "年度归属日期"),
    "benefit_year_starts": Term("benefit year starts on", "待遇年度起始日"),
    "stay_across_years": Term("a stay over the turn of the year", "跨年度住院"),
    "discharge_day_counts": Term("day of discharge counts", "出院日计天"),
    "levels": Term("levels read as", "医院级别对应"),
    "clawback_order": Term("order of clawbacks", "追回顺序"),
    "deductible": Term("deductible", "起付线"),
    "kind": Term("kind", "类型"),
    "first_stay": Term("first stay", "首次住院"),
    "less_per_later_stay": Term("less for each later stay", "多次住院递减"),
    "floor": Term("floor", "最低"),
    "amount": Term("amount", "金额"),
    "deductible_place": Term("place of the deductible", "起付线位置"),
    "position": Term("position of segments", "分段起点"),
    "segments": Term("segment", "费用段"),
    "above": Term("above", "高于"),
    "up_to": Term("up to", "至"),
    "active": Term("active", "在职"),
    "retired": Term("retired", "退休"),
    "default": Term("level not listed", "其他级别"),
    "deductible_exempt_psn_types": Term("classes of person without deductible", "免起付线人员类别"),
    "ceiling_yearly_cost": Term("yearly ceiling of cost", "年度费用封顶线"),
    "account_med_types": Term("account pays for", "个人账户可支付类别"),
    "family_sharing": Term("family sharing", "家庭共济"),
    "hifes": Term("employer's supplement", "企业补充"),
    "cvlserv": Term("civil servants", "公务员补助"),
    "hifdm": Term("disabled soldiers", "伤残人员"),
    "oth": Term("other funds", "其他基金"),
    "base": Term("base", "基数"),
    "counts": Term("counted over", "计算范围"),
    "first_selfpay_counts": Term("first self-pay counts", "计入先行自付"),
    "psn_types": Term("classes of person", "人员类别"),
    "assist_classes": Term("assistance classes", "救助对象类别"),
    "exceptions": Term("exception", "例外"),
    "readmission_days": Term("days of readmission", "再入院天数"),
    "transfer_days": Term("days of transfer", "转院天数"),
    "segment_edges": Term("edges of segments", "分段口径"),
    "maternity_outpatient": Term("antenatal care", "产前检查"),
    "maternity": Term("births", "生育住院"),
    "hospital_share": Term("hospital's share", "医院负担"),
    "of": Term("of", "基数"),
    "maternity_paid_from": Term("births are paid from", "生育费用支付基金"),
    "disease_limits": Term("limit of a disease", "病种限额"),
    "disease": Term("disease", "病种"),
    "monthly_cap": Term("monthly cap", "月限额"),
    "maternity_allowance": Term("maternity allowance", "生育津贴"),
    "leaves": Term("leave", "产假"),
    "leave": Term("leave", "产假"),
    "days": Term("days", "天数"),
    "further_child_days": Term("days for each further child", "多胎每孩增加天数"),
    "month_days": Term("days of a month", "月计发天数"),
    "paid_to": Term("paid to", "发放对象"),
    "age_from": Term("age from", "年龄起"),
    "age_below": Term("age below", "年龄止"),
    "institution_payment": Term("payment of institutions", "医疗机构支付方式"),
    "method": Term("method", "支付方式"),
    "clr_type": Term("clearing type", "清算类别"),
    "covers": Term("covers", "支付标准口径"),
    "insutypes": Term("insurance types", "险种"),
    "rate": Term("rate", "费率"),
    "point_value": Term("point value", "点值"),
    "groups": Term("group", "病组"),
    "group": Term("group", "病组"),
    "weight": Term("weight or points", "权重或分值"),
    "per_head": Term("per head", "人头标准"),
    "heads": Term("heads", "人头"),
    "institution": Term("institution", "定点医药机构"),
    "persons": Term("persons", "人数"),
    "working_days": Term("working days", "工作日"),
    "submit": Term("to submit", "提交"),
    "transfer": Term("to transfer", "拨付"),
    "record": Term("to record", "入账"),
}

#: The amounts of a settlement and of its facts, by their national names.
FIELDS = {
    "medfee_sumamt": Term("total fee", "医疗费总额"),
    "fulamt_ownpay_amt": Term("full self-pay", "全自费"),
    "overlmt_selfpay": Term("over limit price", "超限价自费"),
    "preselfpay_amt": Term("first self-pay of the catalogue", "先行自付"),
    "inscp_scp_amt": Term("in scope", "符合政策范围"),
    "act_pay_dedc": Term("deductible taken", "实际支付起付线"),
    "hifp_pay": Term("basic fund", "统筹基金"),
    "cvlserv_pay": Term("civil servants", "公务员补助"),
    "hifes_pay": Term("employer's supplement", "企业补充"),
    "hifmi_pay": Term("catastrophic fund", "居民大病"),
    "hifob_pay": Term("large-amount fund", "职工大额"),
    "hifdm_pay": Term("disabled soldiers", "伤残人员"),
    "maf_pay": Term("medical assistance", "医疗救助"),
    "oth_pay": Term("other funds", "其他基金"),
    "fund_pay_sumamt": Term("funds together", "基金支付总额"),
    "hosp_part_amt": Term("hospital's share", "医院负担"),
    "psn_part_amt": Term("personal part", "个人负担"),
    "acct_pay": Term("personal account", "个人账户"),
    "acct_mulaid_pay": Term("family sharing", "共济支付"),
    "psn_cash_pay": Term("cash", "个人现金"),
    "balc": Term("balance", "账户余额"),
}

_PART = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")


def words_of(key: str) -> Term:
    """Returns a key path in words, part by part; a name without a term keeps its own in English."""
    english, chinese = [], []
    for name, at in _PART.findall(key):
        level = name.isdigit()
        term = Term(f"level {name}", f"{name}级") if level else PARAMETERS.get(name)
        if level and "classes" in key:
            term = Term(f"class {name}", f"第{name}类")
        place = f" {int(at) + 1}" if at else ""
        english.append((term.english if term else name.replace("_", " ")) + place)
        chinese.append((term.chinese if term else name) + place)
    return Term(", ".join(english), " · ".join(chinese))


def field_of(name: str) -> str:
    """Returns the national name of an amount with its Chinese term; what the year held before carries its own name."""
    bare = name.removeprefix("year.")
    term = FIELDS[bare].chinese if bare in FIELDS else ""
    return " ".join(part for part in (name, f"本年累计 {term}".strip() if bare != name else term) if part)
