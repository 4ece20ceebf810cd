"""Four faults on one subject's preprocessing and decoding; the same command finishes, and the numbers are equal."""

import pytest
from faults import TESTED, Study, undisturbed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Study:
    return undisturbed(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("do", TESTED, ids=lambda do: do.__name__)
def test_the_same_command_finishes_and_nothing_is_lost(whole, do):
    outcome = do(whole)
    print(outcome)
    assert outcome.lost == "nothing" and outcome.identical == "yes"
