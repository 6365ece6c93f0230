"""A source profile is dated data in TOML; what it cannot mean is refused by file and key."""

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.profile import NATIONAL, Profile, ProfileError, load_profile, parse_profile


def test_the_national_profile_is_the_default(national: Profile) -> None:
    """The shipped profile is the national layout, with the digest of its text."""
    assert national == load_profile(NATIONAL)
    assert (national.encoding, national.delimiter, national.columns) == ("utf-8", ",", {})
    assert (national.persons, national.no_policy) == ("any", "quarantine")
    assert national.insutypes == (310, 340, 390, 510)
    assert (national.name, len(national.digest)) == ("national", 16)


def test_a_profile_file_is_read_by_path(tmp_path: Path) -> None:
    """A profile of one's own is a file; what it does not say is as in the national one."""
    path = tmp_path / "city.toml"
    path.write_text('persons = "registered"\n[columns]\n"流水号" = "setl_id"\n', encoding="utf-8")
    profile = load_profile(path)
    assert (profile.name, profile.persons, profile.columns) == ("city", "registered", {"流水号": "setl_id"})
    assert profile.no_policy == "quarantine"
    assert profile.digest != load_profile().digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colums = {}", "city: unknown key 'colums', expected one of encoding, delimiter, columns, persons"),
        ("digest = 'x'", "city: unknown key 'digest'"),
        ("persons = 'some'", r"city: Invalid enum value 'some' - at `persons`"),
        ("insutypes = ['310']", r"city: Expected `int`, got `str` - at `insutypes"),
        ("insutypes = []", "city: insutypes: expected codes"),
        ("encoding = 'klingon'", "city: encoding: expected one of utf-8, gb18030.* got 'klingon'"),
        ("delimiter = '::'", "city: delimiter: expected one ASCII character"),
        ("delimiter = '\"'", "city: delimiter: expected one ASCII character"),
        ("[columns]\na = 'setl_id'\nb = 'setl_id'", "city: columns: two file columns are renamed to 'setl_id'"),
        ("encoding =", "city: expected TOML"),
    ],
)
def test_what_a_profile_cannot_mean_is_named(text: str, message: str) -> None:
    """Unknown keys and values that mean nothing are errors that name the profile and the key."""
    with pytest.raises(ProfileError, match=message):
        parse_profile(text.encode(), "city")


def test_a_profile_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A name that is not shipped is answered with those that are, a path without a file with the path."""
    with pytest.raises(ProfileError, match=r"expected a shipped one .*national.* got 'nowhere'"):
        load_profile("nowhere")
    with pytest.raises(ProfileError, match=r"nowhere\.toml"):
        load_profile(tmp_path / "nowhere.toml")


def test_profiles_money_and_quarantine_load_without_numpy() -> None:
    """What a command line needs before it reads a file loads neither numpy nor pyarrow."""
    code = "import sys, ledger.profile, ledger.money, ledger.quarantine; print({'numpy', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
