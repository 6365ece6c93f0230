"""Gives the tests of stores an empty one on each database."""

from collections.abc import Iterator

import pytest

import ledger.store
from ledger.store import Store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with ledger.store.create(store_url) as store:
        yield store
