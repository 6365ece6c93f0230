"""Builds the compiled kernels: one extension for each ``core_ext/_*.pyx``, directives set here once.

Every built module carries the SHA-256 of the sources it was made from (``core_ext/built_from.h``), so that a
stale build is found by a test and not by a wrong figure.
"""

import os
from hashlib import sha256
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": False,
    "embedsignature": True,
    "freethreading_compatible": True,
}

SHARED = [str(path) for pattern in ("*.pxd", "*.h") for path in sorted(Path("core_ext").glob(pattern))]


def sources_digest(source: str) -> str:
    """Returns the SHA-256, in hex, over a kernel's .pyx and every header and .pxd of the package."""
    return sha256(b"".join(Path(path).read_bytes() for path in [source, *SHARED])).hexdigest()


def extension(source: str) -> Extension:
    """Returns the build of one kernel: portable code, no contraction, its sources' digest inside."""
    return Extension(
        f"core_ext.{Path(source).stem}",
        [source],
        depends=SHARED,
        define_macros=[("CORE_EXT_BUILT_FROM", f'"{sources_digest(source)}"')],
        extra_compile_args=["-O3", "-g0", "-ffp-contract=off", "-include", "core_ext/built_from.h"],
    )


kernels = [extension(str(source)) for source in sorted(Path("core_ext").glob("_*.pyx"))]

CORES = os.cpu_count() or 1

setup(
    ext_modules=cythonize(kernels, compiler_directives=DIRECTIVES, nthreads=CORES, quiet=True),
    options={"build_ext": {"parallel": CORES}},
)
