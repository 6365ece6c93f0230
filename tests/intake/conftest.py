"""Makes small claim files for the intake tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.profile import Profile, load_profile
from ledger.source import Source, open_source
from tests.intake.claim_files import claim_file, use_twins

Claims = Callable[..., Source]


@pytest.fixture
def national() -> Profile:
    """Returns the shipped national profile."""
    return load_profile()


@pytest.fixture
def write(tmp_path: Path, national: Profile) -> Callable[..., Source]:
    """Returns a function that writes bytes as a claim file and opens it."""

    def write_file(content: bytes, profile: Profile = national, name: str = "claims.csv") -> Source:
        path = tmp_path / name
        path.write_bytes(content)
        return open_source(path, profile)

    return write_file


@pytest.fixture
def claims(write: Callable[..., Source]) -> Claims:
    """Returns a function that writes claims as a file: one dict of changed cells a claim."""

    def write_claims(*changes: dict[str, str], **how: Profile) -> Source:
        return write(claim_file(*changes), **how)

    return write_claims


@pytest.fixture(params=["compiled", "reference"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test once with each twin of the intake kernels."""
    name: str = request.param
    use_twins(monkeypatch, name)
    return name
