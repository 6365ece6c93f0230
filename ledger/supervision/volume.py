"""Generates packs of any size: made-up instances of the national kinds, the same numbers always the same pack."""

from collections.abc import Callable

#: How many instances of a thousand are of each kind; more than half look at a window.
SHARES: tuple[tuple[str, int], ...] = (
    ("sex", 50), ("age", 60), ("level", 70), ("setting", 50), ("place", 20), ("price", 110), ("dose", 40),
    ("count_day", 130), ("count_visit", 60), ("frequency", 150), ("course", 50), ("amount", 60), ("duplicate", 90),
    ("missing", 20), ("parts", 20), ("same_price", 20),
)  # fmt: skip

Draw = Callable[[int], int]


def item_code(number: int) -> str:
    """Returns the code of a made-up item."""
    return f"G{number:06d}"


def generated_pack(rules: int, items: int, *, name: str = "generated", begin: str = "2024-01-01") -> str:
    """Returns a pack of ``rules`` instances over ``items`` items as TOML; raises ValueError for impossible numbers."""
    if not 1 <= rules <= 1_000_000 or not 10 <= items <= 1_000_000:
        raise ValueError(f"expected 1 to 1,000,000 rules over 10 to 1,000,000 items, got {rules} over {items}")
    kinds = [kind for kind, share in SHARES for _ in range(share)]
    state = 20240301

    def draw(below: int) -> int:
        # splitmix64: integers that do not repeat in any pattern a rule could follow.
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return int((mixed ^ mixed >> 31) % below)

    head = [
        "# Made by `settlement rules generate`: instances of the national kinds, for volume.",
        "[pack]",
        f'name = "{name}"',
        'title = "generated instances of the national kinds"',
        f'begin = "{begin}"',
        'source = "generated"',
        "cases = false",
    ]
    body = [_rule(number, kinds[number * 997 % len(kinds)], items, draw) for number in range(rules)]
    return "\n".join([*head, *body, ""])


def _rule(number: int, kind: str, items: int, draw: Draw) -> str:
    item = draw(items)
    said = _said(kind, items, item, draw)
    listed = ", ".join(f'"{item_code(each)}"' for each in _listed(kind, items, item))
    lines = [f"{key} = {value}" for key, value in said.items()]
    return "\n".join(
        ["", "[[rule]]", f'code = "G{number:06d}"', f'title = "{kind} {number}"', f"items = [{listed}]", *lines]
    )


def _listed(kind: str, items: int, item: int) -> list[int]:
    """Returns the items of an instance: one, and the next three where the parts of a whole are meant."""
    return [(item + step) % items for step in (0, 1, 2, 3)] if kind == "parts" else [item]


def _said(kind: str, items: int, item: int, draw: Draw) -> dict[str, str]:
    """Returns the other keys of an instance as TOML values."""
    scope, standard = '"over_scope"', '"over_standard"'
    definite = {"result": '"definite"' if draw(2) else '"suspect"'}
    other = item_code((item + 1 + draw(items - 1)) % items)
    match kind:
        case "sex":
            said = {"kind": scope, "by": '"sex"', "allowed": ('["male"]', '["female"]')[item % 2]}
        case "age":
            said = {"kind": scope, "by": '"age"', "ages": ("[0, 14]", "[18, 200]", "[60, 200]")[item % 3]}
        case "level":
            said = {"kind": scope, "by": '"level"', "allowed": ('["2", "3"]', '["3"]')[item % 2]}
        case "setting":
            said = {
                "kind": scope,
                "by": '"setting"',
                "allowed": ('["inpatient"]', '["outpatient", "chronic"]')[item % 2],
            }
        case "place":
            said = {"kind": scope, "by": '"place"', "allowed": '["local", "province"]'}
        case "price":
            said = {"kind": standard, "by": '"price"', "limit": f'"{40 + draw(60)}.{draw(100):02d}"'}
        case "dose":
            said = {"kind": standard, "by": '"dose"', "limit": f'"{6 + draw(4)}"'}
        case "count_day" | "count_visit":
            window = '"day"' if kind == "count_day" else '"visit"'
            said = {"kind": standard, "by": '"count"', "window": window, "limit": f'"{8 + draw(12)}"'}
            if draw(3) == 0:
                said["scope"] = '{ insurance = ["resident"] }'
        case "frequency":
            window = ('"month"', '"quarter"', '"year"')[draw(3)]
            said = {"kind": standard, "by": '"frequency"', "window": window, "limit": f'"{3 + draw(5)}"'}
        case "course":
            said = {"kind": standard, "by": '"course"', "window": '"quarter"', "limit": f'"{3 + draw(6)}"'}
        case "amount":
            window = '"quarter"' if draw(2) else '"year"'
            said = {"kind": standard, "by": '"amount"', "window": window, "limit": f'"{300 + draw(600)}.00"'}
        case "duplicate":
            window = '"day"' if draw(2) else '"visit"'
            said = {"kind": '"duplicate"', "window": window, "others": f'["{other}"]'}
        case "missing":
            said = {"kind": '"missing_association"', "window": '"visit"', "others": f'["{item_code(item // 50)}"]'}
        case "parts":
            said = {"kind": '"split"', "by": '"parts"', "window": '"day"', "least": "3"}
        case _:
            assert kind == "same_price"
            said = {"kind": '"same_price"', "window": '"day"'}
    return {**said, **definite}
