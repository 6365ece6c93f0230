"""Finds the sample data that tests compare with: it lies beside the repository or where LEDGER_SHARED says.

It is no part of the project. Tests that need it are marked ``samples``; where nobody said where it is and it is not
beside the repository, or ``LEDGER_SHARED=`` says that there is none, they are left out, and the run says so at its end.
"""

import os
from pathlib import Path

SETTING = "LEDGER_SHARED"
BESIDE = Path(__file__).resolve().parents[2] / "shared"


def root() -> Path | None:
    """Returns the folder that holds ``data/``; None where there is none.

    Raises FileNotFoundError where the setting names a folder without it.
    """
    named = os.environ.get(SETTING)
    if named == "":
        return None
    folder = BESIDE if named is None else Path(named)
    if (folder / "data").is_dir():
        return folder
    if named is None:
        return None
    raise FileNotFoundError(f"{SETTING}: expected a folder that holds data/, got {folder}")


def shared(*parts: str) -> Path:
    """Returns a file or folder of the sample data; raises FileNotFoundError where it is not there."""
    folder = root()
    path = folder and folder.joinpath("data", *parts)
    if path is None or not path.exists():
        raise FileNotFoundError(f"expected the sample data {'/'.join(parts)}, got none: {SETTING} names its folder")
    return path
