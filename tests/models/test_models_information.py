"""The value of perfect information against quadrature and draws in R (`data/information.R`)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from visits_data import read

from ccp_analysis.models.information import of_population, perfect_information

R = read("information.json")


def table(name: str) -> pd.DataFrame:
    return pd.DataFrame(R[name]).astype(float).fillna({"nu": np.inf})


def test_the_closed_form_is_the_integral():
    cases = table("cases")
    found = perfect_information(cases["d"], cases["s"], cases["nu"])
    # Relative to the scale: where it is tiny beside it, next to nothing can be gained.
    off = np.abs(found - cases["integral"]) / np.maximum(cases["integral"], 1e-4 * cases["s"])
    assert off.max() < 1e-8, cases.assign(found=found, off=off).nlargest(5, "off").to_string()
    assert (found >= 0.0).all()


def test_many_degrees_of_freedom_are_the_normal_distribution():
    normal = perfect_information(-500.0, 400.0)
    assert perfect_information(-500.0, 400.0, 1e6) == pytest.approx(normal, rel=1e-5)
    assert perfect_information(-500.0, 400.0, 1e9) == normal
    # Fewer degrees of freedom leave more to be known.
    values = perfect_information(-500.0, 400.0, np.array([2.0, 4.0, 10.0, 100.0]))
    assert (np.diff(values) < 0.0).all() and values[-1] > normal


def test_it_does_not_matter_which_arm_is_the_better_one():
    d = np.array([-750.0, 0.0, 750.0])
    found = perfect_information(d, 300.0, 3.0)
    assert found[0] == found[2] < found[1]
    np.testing.assert_allclose(perfect_information(3 * d, 900.0, 3.0), 3 * found)


@pytest.mark.parametrize("df", [1.0, 0.4])
def test_without_a_mean_there_is_no_value(df):
    assert np.isnan(perfect_information(100.0, 50.0, df))


def test_people_of_later_years_are_discounted():
    for row in table("population").itertuples():
        found = of_population(row.people, int(row.years), row.discount)
        assert found == pytest.approx(row.number, rel=1e-12)
