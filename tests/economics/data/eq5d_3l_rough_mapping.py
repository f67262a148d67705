"""Writes config/eq5d_3l_rough_mapping.csv: a utility for each of the 3,125 states of the EQ-5D-5L.

Run from the repository: python tests/economics/data/eq5d_3l_rough_mapping.py. Levels of the 5L are
read as levels of the 3L (1 as 1; 2 and 3 as 2; 4 and 5 as 3) and valued by the UK tariff of Dolan
1997, Medical Care 35(11):1095-1108, table 1. This is rough and is not the official mapping.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

TARGET = Path(__file__).parents[3] / "config" / "eq5d_3l_rough_mapping.csv"
LEVEL = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3}
DECREMENTS = [  # of levels 2 and 3, in thousandths
    (69, 314),  # mobility
    (104, 214),  # self-care
    (36, 94),  # usual activities
    (123, 386),  # pain or discomfort
    (71, 236),  # anxiety or depression
]
CONSTANT, N3 = 81, 269  # for any level above 1, for any level 3


def utility(state: tuple[int, ...]) -> float:
    """Return the utility of a state of the EQ-5D-5L."""
    levels = [LEVEL[level] for level in state]
    of = zip(levels, DECREMENTS, strict=True)
    loss = sum(decrements[level - 2] for level, decrements in of if level > 1)
    loss += CONSTANT * (max(levels) > 1) + N3 * (max(levels) == 3)
    return (1000 - loss) / 1000


def table() -> str:
    """Return the file: profile, utility."""
    rows = [
        f"{''.join(map(str, state))},{utility(state):.3f}" for state in product(LEVEL, repeat=5)
    ]
    return "\n".join(["profile,utility", *rows]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8", newline="\n")
