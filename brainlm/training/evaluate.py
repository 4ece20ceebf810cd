"""Did the network learn? Accuracy on held-out stimuli, and its paired difference to an untrained network."""

import numpy as np
from jaxtyping import Bool
from scipy.stats import norm, t


def paired_lower_bound(
    right: Bool[np.ndarray, "stimuli *time"], right_untrained: Bool[np.ndarray, "stimuli *time"], level: float = 0.95
) -> float:
    """Lower end of the interval of the difference in accuracy between two networks tested on the same stimuli.

    Normal approximation with half a success added to each of the four cells of the paired table (Agresti & Min
    2005), so that the interval keeps a width when every difference is the same. Of sequences, whose times are no
    independent stimuli, a t interval of the mean difference over sequences.
    """
    if right.ndim > 1:
        differences = right.reshape(len(right), -1).mean(1) - right_untrained.reshape(len(right), -1).mean(1)
        error = differences.std(ddof=1) / np.sqrt(len(right))
        return float(differences.mean() - t.ppf(0.5 + level / 2, len(right) - 1) * error)
    n = len(right) + 2
    only, only_untrained = np.sum(right & ~right_untrained) + 0.5, np.sum(~right & right_untrained) + 0.5
    difference = (only - only_untrained) / n
    variance = ((only + only_untrained) - (only - only_untrained) ** 2 / n) / n**2
    return float(difference - norm.ppf(0.5 + level / 2) * np.sqrt(variance))


def learning_status(learning_rule: str, lower_bound: float) -> str:
    """``reference`` for the untrained network; else ``learned`` if the bound is above 0, or ``failed``."""
    if learning_rule == "untrained":
        return "reference"
    return "learned" if lower_bound > 0 else "failed"
