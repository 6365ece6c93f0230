"""Writes amounts in Chinese capitals (大写), as the People's Bank's rules for filling in bills prescribe.

正确填写票据和结算凭证的基本规定: 元 with no fen behind it ends in 整, one 零 stands for any
run of zeros between digits.
"""

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "万亿")


def capitals(fen: int) -> str:
    """Returns fen as Chinese capitals, exact; a negative amount begins with 负.

    >>> capitals(140950), capitals(10700053), capitals(5)
    ('壹仟肆佰零玖元伍角', '壹拾万柒仟元零伍角叁分', '伍分')
    """
    yuan, rest = divmod(abs(fen), 100)
    jiao, cent = divmod(rest, 10)
    text = f"{_whole(yuan)}元" if yuan else ""
    if not rest:
        text = f"{text or '零元'}整"
    else:
        # A zero in the yuan's last place, or in that of jiao, is read where something stands before it.
        if yuan and (not jiao or yuan % 10 == 0):
            text += "零"
        text += f"{_DIGITS[jiao]}角" if jiao else ""
        text += f"{_DIGITS[cent]}分" if cent else ""
    return f"负{text}" if fen < 0 else text


def _whole(number: int) -> str:
    """Returns a positive integer in capitals, four digits a group."""
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    if len(groups) > len(_GROUPS):
        raise ValueError(f"expected an amount below {10 ** (4 * len(_GROUPS)):,} yuan, got a larger one")
    text, gap = "", False
    for at in reversed(range(len(groups))):
        group = groups[at]
        if not group:
            gap = True
            continue
        if text and (gap or group < 1000):
            text += "零"
        text += _four(group) + _GROUPS[at]
        gap = False
    # 亿 is read once where groups of 万亿 and 亿 stand together.
    return text.replace("万亿", "万", 1) if text.count("亿") > 1 else text


def _four(group: int) -> str:
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if not digit:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + _DIGITS[digit] + _PLACES[place]
        gap = False
    return text
