import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

def find(charges: Int64s, rules: Int64s, first: Int64s, others: Int64s) -> Int64s: ...
