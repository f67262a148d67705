"""A draw of 50,000 people in 1,000 teams, made once."""

from __future__ import annotations

from functools import cache

from synthetic.parameters import DEFAULT
from synthetic.study_data import StudyData, draw_study

LARGE = DEFAULT.at_scale(50_000, 1000)
SEED = 71


@cache
def large() -> StudyData:
    return draw_study(LARGE, SEED)
