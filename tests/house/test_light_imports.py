"""Help is quick: what only a month of claims needs is loaded when a month of claims comes."""

import subprocess
import sys

import pytest

HEAVY = ("pyarrow", "numpy", "psycopg", "xlsxwriter", "openpyxl", "holidays")

PROGRAMS = {
    "import ledger": "import ledger",
    "import projections": "import projections",
    "settlement --help": "import console.main; console.main.main(['--help'])",
    "settlement intake --help": "import console.main; console.main.main(['intake', '--help'])",
    "a usage error": "import console.main; assert console.main.main(['close', '--period', 'x']) == 2",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_neither_arrow_nor_numpy_nor_postgres_is_loaded(program: str) -> None:
    """Importing the packages, help and usage errors load no heavy library."""
    check = f"import sys\n{program}\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
