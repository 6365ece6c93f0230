"""Compiles ``settle.c`` with the machine's C compiler and gives it the signature of the settle kernel."""

import ctypes
import os
import shlex
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

from core_ext.settling import Batch, Table

SOURCE = Path(__file__).with_name("settle.c")
FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-Wall", "-Werror")


class _Tables(ctypes.Structure):
    _fields_ = [*((name, ctypes.c_void_p) for name in Batch._fields), ("n", ctypes.c_int64)]


def compiler() -> list[str]:
    """Returns the command of the C compiler: ``CC``, or the one Python itself was built with."""
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def compiled(folder: Path) -> Callable[..., None]:
    """Returns the plain C loop over contiguous int64 tables; raises CalledProcessError where it does not build."""
    library = folder / "settle_c.so"
    subprocess.run([*compiler(), *FLAGS, "-o", str(library), str(SOURCE)], check=True)
    function = ctypes.CDLL(str(library)).settle
    function.argtypes, function.restype = [ctypes.POINTER(_Tables)], None

    def settle(*tables: Table) -> None:
        batch = Batch(*tables)
        pointers = (table.ctypes.data for table in batch)
        function(ctypes.byref(_Tables(*pointers, len(batch.plan))))

    return settle
