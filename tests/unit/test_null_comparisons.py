"""Two arms, or learners, of equal quality seldom come out as different: benchmarks/, small."""

import numpy as np
import pytest

from charthouse.jobs.evaluate.comparisons import TESTED
from null_comparisons import MOST, rates

TRIALS = 40
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], tuple[float, int]]:
    return rates(300, TRIALS, 99, untested=True)


def test_every_p_value_keeps_its_level(found: dict) -> None:
    """A rate of 0.08 gives more than the bound in about 1 of 500 such samples."""
    tested = {key: value for key, value in found.items() if "not tested" not in key[0]}
    assert {metric for what, metric in tested if what == "arms"} == TESTED
    assert {what for what, _ in tested} == {
        "arms", "learner_against_arm", "learner_against_learner", "uses_the_picture",
    }  # fmt: skip
    for key, (rate, trials) in tested.items():
        assert trials >= TRIALS - 3, key
        assert rate <= MOST + 3 * np.sqrt(MOST * (1 - MOST) / trials), key


def test_differences_at_chosen_thresholds_would_not(found: dict) -> None:
    """So the benchmark finds what does not keep its level."""
    for metric in ("sensitivity", "specificity"):
        assert found["arms, not tested", metric][0] > 0.25, metric
