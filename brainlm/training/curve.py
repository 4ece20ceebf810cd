"""What happens while a network learns: loss and accuracy over updates, and the time that updates take."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Curve:
    """Called after each update; once a pass it notes the mean loss and the accuracy on held-out stimuli.

    ``seconds`` counts learning only, not the test in between.
    """

    def __init__(self, updates_per_pass: int, n_updates: int, accuracy: Callable[[], float]) -> None:
        self.updates_per_pass, self.n_updates, self.accuracy = updates_per_pass, n_updates, accuracy
        self.rows = [{"update": 0, "loss": float("nan"), "accuracy": accuracy()}]
        self.seconds, self.losses = 0.0, []
        self._started = time.perf_counter()

    def __call__(self, update: int, loss: float) -> None:
        self.losses.append(loss)
        if update % self.updates_per_pass == 0:
            self.seconds += time.perf_counter() - self._started
            recent = self.losses[-self.updates_per_pass :]
            self.rows.append({"update": update, "loss": sum(recent) / len(recent), "accuracy": self.accuracy()})
            self._started = time.perf_counter()
        self._tell(update, loss)

    def timing(self) -> dict[str, float]:
        """Seconds of learning in all, and for an update."""
        return {"seconds": self.seconds, "seconds_per_update": self.seconds / max(len(self.losses), 1)}

    def _tell(self, update: int, loss: float) -> None:
        if update * 20 // self.n_updates > (update - 1) * 20 // self.n_updates:
            logger.info("update %d of %d, loss %.4f", update, self.n_updates, loss)
