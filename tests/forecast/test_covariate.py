"""The law through likelihoods, where they collapse: an answer, not a number that is none."""

from __future__ import annotations

import math

import numpy as np

from presage.forecast import covariate


def test_likelihoods_that_collapse_within_the_ladder() -> None:
    """As models that begin to copy from the prompt have them: four nats, then less than one within a factor of two."""
    compute = np.array([7e10, 1e11, 1.4e11, 1.9e11, 2.6e11, 3.6e11, 5e11, 7e11])
    nll = np.array([5.1, 4.3, 4.1, 3.4, 3.3, 3.1, 3.3, 0.4]) * np.linspace(0.8, 1.2, 10)[:, None]
    fitted = covariate.fit(compute, nll, 0.9 * nll)
    at = fitted.predict(2e13, 0.9, 0.001)
    assert all(math.isfinite(value) for value in (at.lo, at.value, at.hi))
    assert 0 <= at.lo <= at.value <= at.hi
