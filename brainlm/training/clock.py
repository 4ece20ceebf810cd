"""How far a training is, and how long the rest will take."""

import time


class Clock:
    """Tells the time that is left from the pace since it was last asked."""

    def __init__(self, total: int) -> None:
        self.total, self._done, self._at = total, 0, time.monotonic()

    def tell(self, done: int) -> str:
        """``update 40 of 400, 3 min left``."""
        now = time.monotonic()
        seconds = (now - self._at) / max(done - self._done, 1) * (self.total - done)
        self._done, self._at = done, now
        return f"update {done} of {self.total}, {say_time(seconds)} left"


def say_time(seconds: float) -> str:
    """Seconds, minutes or hours, as people round them."""
    minutes = seconds / 60
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
