from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.imputation.diagnostics import split_r_hat


def test_by_hand():
    # Halves: (0, 2), (4, 6), (1, 1), (3, 5): means 1, 5, 1, 4, variances 2, 2, 0, 2.
    # W = 3/2, B/n = 4.25, n = 2.
    chains = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 3.0], [6.0, 5.0]])
    means_variance = ((1 - 2.75) ** 2 * 2 + (5 - 2.75) ** 2 + (4 - 2.75) ** 2) / 3
    expected = np.sqrt((0.5 * 1.5 + means_variance) / 1.5)
    assert means_variance == 4.25
    assert split_r_hat(chains) == pytest.approx(expected, rel=1e-14)
    assert expected == pytest.approx(1.8257418583505538, rel=1e-14)


def test_middle_of_an_odd_number_is_left_out():
    chains = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 3.0], [6.0, 5.0]])
    odd = np.insert(chains, 2, 1e6, axis=0)
    assert split_r_hat(odd) == split_r_hat(chains)


def test_batch_equals_single():
    chains = np.random.default_rng(1).normal(size=(3, 4, 20, 5))
    batch = split_r_hat(chains)
    assert batch.shape == (3, 4)
    np.testing.assert_allclose(batch[2, 1], split_r_hat(chains[2, 1]), rtol=1e-14)


def test_chains_that_do_not_move():
    assert split_r_hat(np.full((6, 3), 0.1)) == 1.0
    assert split_r_hat(np.broadcast_to([1.0, 2.0, 2.0], (6, 3))) == np.inf


def test_what_cannot_be_judged_is_nan():
    assert np.isnan(split_r_hat(np.ones((3, 2))))
    chains = np.random.default_rng(3).normal(size=(2, 8, 3))
    chains[1, 4, 0] = np.nan
    assert np.isnan(split_r_hat(chains)).tolist() == [False, True]
