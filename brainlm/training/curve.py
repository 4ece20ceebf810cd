"""What happens while a network learns: loss and validation accuracy over updates, and the time that updates take."""

import logging
import time
from collections.abc import Callable

from brainlm.training.clock import Clock

logger = logging.getLogger(__name__)


class Curve:
    """Called after each update; ``n_checks`` times it notes the mean loss since the last and the accuracy.

    ``look`` is called at each check with the update's number and the accuracy. ``seconds`` counts learning only, not
    the checks in between.
    """

    def __init__(
        self,
        n_updates: int,
        n_checks: int,
        accuracy: Callable[[], float],
        look: Callable[[int, float], None] = lambda update, accuracy: None,
    ) -> None:
        self.n_updates, self.n_checks = n_updates, min(n_checks, n_updates)
        self.accuracy, self.look = accuracy, look
        self.rows, self.losses, self.seconds = [], [], 0.0
        self._noted, self._clock = 0, Clock(n_updates)
        self._check(0)

    def __call__(self, update: int, loss: float) -> None:
        self.losses.append(loss)
        if update * self.n_checks // self.n_updates > (update - 1) * self.n_checks // self.n_updates:
            self.seconds += time.perf_counter() - self._started
            self._check(update)
        self._tell(update, loss)

    def timing(self) -> dict[str, float]:
        """Seconds of learning in all, and for an update."""
        return {"seconds": self.seconds, "seconds_per_update": self.seconds / max(len(self.losses), 1)}

    def _check(self, update: int) -> None:
        recent, found = self.losses[self._noted :], self.accuracy()
        loss = sum(recent) / len(recent) if recent else float("nan")
        self.rows.append({"update": update, "loss": loss, "accuracy": found})
        self._noted = len(self.losses)
        self.look(update, found)
        self._started = time.perf_counter()

    def _tell(self, update: int, loss: float) -> None:
        if update * 20 // self.n_updates > (update - 1) * 20 // self.n_updates:
            logger.info("%s: loss %.4f", self._clock.tell(update), loss)
