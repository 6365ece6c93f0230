import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

class Rules:
    def __init__(self, rules: Int64s, first: Int64s, others: Int64s) -> None: ...
    def find(self, charges: Int64s) -> Int64s: ...
