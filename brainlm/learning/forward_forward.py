"""The forward-forward algorithm (Hinton 2022; labels over the whole picture, Scodellaro et al. 2025)."""

import torch
import torch.nn.functional as F
from torch import nn

from brainlm.errors import ConfigError, choose
from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import check_labels


class ForwardForward(LearningRule):
    """Each layer learns to be active for a stimulus with its right label, and quiet for one with a wrong label.

    The label is written over the stimulus's first numbers, one a class (``label: first``), or a pattern of its own, as
    large as the stimulus, is added (``label: spread``; default where the first layer is a convolution, which sees the
    first numbers in one corner alone). Goodness g_l is the mean square of a layer's activity; a layer descends
    log(1 + exp(-sharpness (g_l - threshold))) for right labels and log(1 + exp(sharpness (g_l - threshold))) for wrong
    ones drawn at random. Layers see the activity below scaled to a mean square of 1, with no error going back. The
    output is the summed goodness for each label, of all layers but the first; hidden activity is recorded with a
    neutral label, the same number for each class. The output layer stays as drawn.
    """

    def __init__(self, network, example, threshold: float = 0.3, sharpness: float = 10.0, label: str | None = None):
        super().__init__(network, example)
        require("forward_forward", network, NOT_DEFINED)
        self.threshold, self.sharpness = threshold, sharpness
        fitting = "spread" if isinstance(network[0].linear, nn.Conv2d) else "first"
        self.label = choose("label", fitting if label is None else label, ["first", "spread"])
        self.deviations = (
            "output: summed goodness for each label, the output layer's weights unused; layers see activity of mean "
            f"square 1; mean-square goodness, threshold {threshold:g}, sharpness {sharpness:g}; hidden activity with "
            "a neutral label"
        )
        with torch.no_grad():
            self.n_classes = network(example).shape[-1]
        if len(network) < 2 or example[0].numel() < self.n_classes:
            raise ConfigError(
                f"Learning rule forward_forward: expected a hidden layer and stimuli of at least {self.n_classes} "
                f"numbers, one a class, got {len(network) - 1} hidden layers and {example[0].numel()} numbers."
            )
        if self.label == "spread":
            self.deviations += "; labels are patterns of independent normal numbers, not waves"
            self.register_buffer("patterns", torch.randn(self.n_classes, *example.shape[1:], dtype=example.dtype))

    def assign_gradients(self, network, x, y):
        check_labels(y, self.n_classes)
        wrong = (y + torch.randint(1, self.n_classes, y.shape, device=y.device)) % self.n_classes
        right, other = self._labelled(x, self._code(y, x)), self._labelled(x, self._code(wrong, x))
        below, total = torch.cat([right, other]), 0.0
        level = goodness(below)
        for layer in network[:-1]:
            below = layer(normalise(below.detach(), level.detach()))
            level = goodness(below)
            excess = self.sharpness * (level - self.threshold)
            total = total + F.softplus(-excess[: len(x)]).mean() + F.softplus(excess[len(x) :]).mean()
        total.backward()
        for parameter in network[-1].parameters():
            parameter.grad = torch.zeros_like(parameter)
        return total.detach()

    def respond(self, network, x):
        """Activity of the hidden layers with a neutral label, then the goodness of each label."""
        neutral = x.new_full((len(x), self.n_classes), 1 / self.n_classes)
        hidden = self._hidden(network, self._labelled(x, neutral))
        return [*hidden, torch.stack([self._score(network, x, label) for label in range(self.n_classes)], 1)]

    def _score(self, network, x, label):
        labels = torch.full((len(x),), label, device=x.device)
        found = [goodness(h) for h in self._hidden(network, self._labelled(x, self._code(labels, x)))]
        return sum(found[1:] or found)

    def _hidden(self, network, x):
        activities = []
        for layer in network[:-1]:
            activities.append(layer(normalise(x, goodness(x))))
            x = activities[-1]
        return activities

    def _code(self, y, like):
        return F.one_hot(y, self.n_classes).to(like.dtype)

    def _labelled(self, x, code):
        if self.label == "spread":
            return x + torch.einsum("bc,c...->b...", code, self.patterns)
        return torch.cat([code, x.flatten(1)[:, self.n_classes :]], 1).view_as(x)


def normalise(x, level):
    """Samples of mean square ``level`` scaled to 1, so that no layer can read the goodness of the one below."""
    return x * level.add(1e-12).rsqrt().view(-1, *[1] * (x.dim() - 1))


def goodness(activity):
    """The mean square of a layer's activity, one number a sample."""
    flat = activity.flatten(1)
    return torch.linalg.vector_norm(flat, dim=1).square() / flat.shape[1]  # one pass, and one back


NOT_DEFINED = {
    "spikes": "layers learn by the slope of their units, and a spike has none",
    "attention": "goodness is of one layer's units, and a block of attention is several layers",
    "shared weights": "a label written over the stimulus would have to stand at each time of a sequence",
    "branches": "a label written over a sentence would take the place of its first word",
}
