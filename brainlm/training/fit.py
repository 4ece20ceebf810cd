"""The one training loop."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def fit(
    assign_gradients: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple],
    after_update: Callable[[int, float], None] = lambda update, loss: None,
) -> None:
    """Let ``assign_gradients`` write gradients for each batch, and the optimizer step along them.

    The loop knows nothing of networks or rules, so that everything that learns can share it.

    Raises
    ------
    FloatingPointError
        If the loss is no longer a finite number.
    """
    for update, batch in enumerate(batches, start=1):
        optimizer.zero_grad(set_to_none=True)
        loss = float(assign_gradients(*batch))
        if not math.isfinite(loss):
            raise FloatingPointError(f"The loss became {loss} at update {update}.")
        optimizer.step()
        after_update(update, loss)
