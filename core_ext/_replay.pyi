import numpy as np
from numpy.typing import NDArray

from core_ext.replaying import Acts, Changed, Recorded
from core_ext.settling import Table

Persons = tuple[int, int, int, int]
Figures = tuple[int, int, Persons, list[int]]

class Packed:
    plans: int
    def __init__(self, plans: Table) -> None: ...

def again(packed: Packed, acts: Acts, recorded: Recorded, marks: NDArray[np.uint8], sums: Table) -> None: ...
def change(packed: Packed, acts: Acts, out: Changed) -> tuple[int, list[int], Figures]: ...
def sweep(packed: Packed, acts: Acts, plans: Table) -> tuple[int, list[int], list[Figures]]: ...
