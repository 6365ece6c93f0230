"""Reads source profiles: how a sender's file differs from the national layout, and what its rows may do.

A profile is a TOML file with the keys of ``Profile``. ``national`` is the one shipped and the default.
"""

import hashlib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from core_ext.layout import AMOUNTS, FUND_PARTS
from ledger.money import fen_from_text
from ledger.refusals import LedgerError

NATIONAL = "national"

#: Encodings a profile may name. Each keeps ASCII and spells a byte it cannot read as one damaged cell.
ENCODINGS = ("utf-8", "gb18030", "gbk", "gb2312", "big5")


class ProfileError(LedgerError):
    """Is a profile that cannot be found or understood: expected, got, file and key."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is a source profile.

    ``columns`` maps the file's column names to national ones. ``persons`` says whether a person must be in the
    register; ``no_policy`` whether a source-settled row without a policy is quarantined or booked as not checked;
    ``insutypes`` which insurance types its rows may carry. ``line_tolerance_fen`` is how far an amount that a fee line
    gives may be from what its price, count and ratio give; ``untraced_list_types`` the kinds of catalogue whose trace
    codes repeat legitimately. ``name`` and ``digest`` come from the file itself.

    ``register_day`` is the day on which registers are asked about a claim. ``institutions`` says whether a claim's
    institution must be registered, in network and capable on it; ``chronic`` whether med_type 14 needs an
    entitlement; ``psn_class`` whose class of the person decides. What a register forbids refuses an unsettled claim
    and flags one that its source has settled.

    The keys from ``nulls`` on are meanings that ``ledger.normalising`` brings to the national ones: texts that stand
    for an empty cell; amounts whose zero says nothing; fund columns of the file and the amount each adds to; whether
    fund total and personal part hold the personal account; the sign of refunds; whether ``refd_setl_flag`` must
    agree with ``init_setl_id``; and by how much, in yuan, a split may be off before its residual is not taken anew.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    columns: dict[str, str] = {}
    persons: Literal["any", "registered"] = "any"
    no_policy: Literal["quarantine", "book_unchecked"] = "quarantine"
    insutypes: tuple[int, ...] = (310, 340, 390, 510)
    institutions: Literal["any", "registered"] = "any"
    chronic: Literal["any", "entitled"] = "any"
    psn_class: Literal["claim", "register"] = "claim"
    register_day: Literal["begndate", "enddate", "setl_time"] = "begndate"
    line_tolerance_fen: int = 0
    untraced_list_types: tuple[int, ...] = (102, 103)
    nulls: tuple[str, ...] = ()
    zero_means_absent: tuple[str, ...] = ()
    funds: dict[str, str] = {}
    fund_total: Literal["without_account", "with_account"] = "without_account"
    personal_part: Literal["with_account", "without_account"] = "with_account"
    refund_amounts: Literal["negative", "positive"] = "negative"
    refd_setl_flag: Literal["ignored", "checked"] = "ignored"
    split_tolerance: str = "0.00"
    name: str = ""
    digest: bytes = b""


_OWN_KEYS = frozenset({"name", "digest"})


def shipped_profiles() -> tuple[str, ...]:
    """Returns the names of the profiles that come with the package."""
    return tuple(sorted(entry.name[:-5] for entry in files("ledger.profiles").iterdir() if entry.name[-5:] == ".toml"))


def load_profile(name_or_path: str | Path = NATIONAL) -> Profile:
    """Returns the shipped profile of that name, or the one in the file at that path; raises ProfileError."""
    path = Path(name_or_path)
    if isinstance(name_or_path, str) and path.suffix == "" and len(path.parts) == 1:
        shipped = files("ledger.profiles") / f"{name_or_path}.toml"
        if shipped.is_file():
            return parse_profile(shipped.read_bytes(), name_or_path)
        if not path.is_file():
            known = ", ".join(shipped_profiles())
            raise ProfileError(f"profile: expected a shipped one ({known}) or a file, got {name_or_path!r}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProfileError(f"profile {path}: expected a readable file, got: {error.strerror}") from error
    return parse_profile(content, path.stem, str(path))


def parse_profile(content: bytes, name: str, where: str = "") -> Profile:
    """Returns the profile written in TOML ``content``; raises ProfileError that names the file and the key."""
    where = where or name
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"profile {where}: expected TOML in UTF-8, got: {error}") from error
    known = [key for key in Profile.__struct_fields__ if key not in _OWN_KEYS]
    for key in table:
        if key not in known:
            raise ProfileError(f"profile {where}: unknown key {key!r}, expected one of {', '.join(known)}")
    digest = hashlib.sha256(content).digest()[:16]
    try:
        profile = msgspec.convert({**table, "name": name, "digest": digest}, Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(f"profile {where}: {error}".replace("`$.", "`")) from error
    _check(profile, where)
    return profile


def _check(profile: Profile, where: str) -> None:
    if profile.encoding not in ENCODINGS:
        expected = ", ".join(ENCODINGS)
        raise ProfileError(f"profile {where}: encoding: expected one of {expected}, got {profile.encoding!r}")
    delimiter = profile.delimiter
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in '\r\n"+-.':
        raise ProfileError(f"profile {where}: delimiter: expected one ASCII character such as ',', got {delimiter!r}")
    renamed = list(profile.columns.values())
    for national in renamed:
        if renamed.count(national) > 1:
            raise ProfileError(f"profile {where}: columns: two file columns are renamed to {national!r}")
    if profile.line_tolerance_fen < 0:
        expected = "fen a line, at least 0"
        raise ProfileError(
            f"profile {where}: line_tolerance_fen: expected {expected}, got {profile.line_tolerance_fen}"
        )
    if not profile.insutypes or any(code <= 0 for code in profile.insutypes):
        raise ProfileError(f"profile {where}: insutypes: expected codes such as 310, got {list(profile.insutypes)}")
    _check_meanings(profile, where)


def _check_meanings(profile: Profile, where: str) -> None:
    parts = [AMOUNTS[at] for at in FUND_PARTS]
    for column, name in profile.funds.items():
        if name not in parts:
            raise ProfileError(f"profile {where}: funds.{column}: expected one of {', '.join(parts)}, got {name!r}")
        if column in profile.columns:
            raise ProfileError(f"profile {where}: funds.{column}: expected a column that columns does not rename")
    optional = [name for name in AMOUNTS if name != "fund_pay_sumamt"]
    for name in profile.zero_means_absent:
        if name not in optional:
            expected = ", ".join(optional)
            raise ProfileError(f"profile {where}: zero_means_absent: expected some of {expected}, got {name!r}")
    for text in profile.nulls:
        if not text or len(text) > 16:
            raise ProfileError(f"profile {where}: nulls: expected texts of 1 to 16 characters, got {text!r}")
    try:
        tolerance = fen_from_text(profile.split_tolerance)
    except ValueError:
        tolerance = -1
    if not 0 <= tolerance <= 100:
        raise ProfileError(
            f'profile {where}: split_tolerance: expected yuan as text from "0.00" to "1.00",'
            f" got {profile.split_tolerance!r}"
        )
