"""A built kernel is the kernel in the tree: a stale build is found here and not by a wrong figure."""

from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNELS = sorted(ROOT.glob("core_ext/_*.pyx"))
MARK = b"core_ext built from "


def sources_digest(source: Path) -> str:
    shared = [path for pattern in ("*.pxd", "*.h") for path in sorted((ROOT / "core_ext").glob(pattern))]
    return sha256(b"".join(path.read_bytes() for path in [source, *shared])).hexdigest()


def built(source: Path) -> Path:
    return source.with_name(source.stem + EXTENSION_SUFFIXES[0])


@pytest.mark.parametrize("source", KERNELS, ids=lambda path: path.stem)
def test_a_built_kernel_carries_the_digest_of_its_sources(source: Path) -> None:
    """Each extension was built from the sources beside it (else: run `make build`)."""
    content = built(source).read_bytes()
    at = content.index(MARK) + len(MARK)
    assert content[at : at + 64].decode() == sources_digest(source)
