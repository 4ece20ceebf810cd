"""Time left, from the pace since the clock was last asked."""

import pytest

from brainlm.training.clock import Clock, say_time


def test_time_left_follows_the_last_stretch(monkeypatch):
    now = iter([0.0, 60.0, 70.0, 90.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    clock = Clock(100)
    assert clock.tell(10) == "update 10 of 100, 9 min left"  # a minute for ten
    assert clock.tell(20) == "update 20 of 100, 80 s left"
    assert clock.tell(100) == "update 100 of 100, 0 s left"


@pytest.mark.parametrize(
    ("seconds", "said"), [(89, "89 s"), (90, "2 min"), (7100, "118 min"), (7200, "2 h"), (36000, "10 h")]
)
def test_times_are_rounded_as_people_do(seconds, said):
    assert say_time(seconds) == said
