"""Chooses the compiled kernels or their plain-Python references, in this one place.

``LEDGER_KERNELS`` is ``compiled`` (the default) or ``reference``; both give the same results, the references
slowly. A missing extension is an error, never a silent change of speed.
"""

import os
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType

#: The files that say what a settlement is, to the fen.
SPECIFICATION = ("plan.py", "settling.py", "reference/settle.py", "reference/benefit.py")

BACKEND = os.environ.get("LEDGER_KERNELS", "compiled")


def load(name: str) -> ModuleType:
    """Returns the chosen twin of the kernel family ``name``; raises ImportError that says how to build it."""
    if BACKEND == "reference":
        return import_module(f"core_ext.reference.{name}")
    if BACKEND != "compiled":
        raise ImportError(f"LEDGER_KERNELS: expected 'compiled' or 'reference', got {BACKEND!r}")
    try:
        return import_module(f"core_ext._{name}")
    except ModuleNotFoundError as error:
        raise ImportError(f"the compiled kernel core_ext._{name} is not built: run `make build`") from error


@cache
def digest() -> bytes:
    """Returns 16 bytes of SHA-256 over the settle kernel's specification: what decisions of this version follow.

    Both twins follow it, so it does not depend on the compiler or the back end.
    """
    folder = Path(__file__).parent
    sources = [folder / name for name in SPECIFICATION]
    return sha256(b"".join(path.read_bytes() for path in sources)).digest()[:16]
