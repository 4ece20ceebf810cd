"""Local error signals (Nokland & Eidnes 2019)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.losses import choose_loss


class LocalLosses(LearningRule):
    """Each hidden layer has a classifier of its own, and no error goes from layer to layer.

    A layer descends (1 - similarity) pred + similarity sim: pred is the loss of a linear classifier C_l on it,
    sim the mean squared difference between the cosine similarities of stimuli in the layer and those of their targets.
    ``similarity`` 0 is the paper's pred, 1 its sim, 0.99 its predsim. Maps of a convolution enter sim by their standard
    deviation over places. The output layer descends the loss itself.
    """

    deviations = "sim on the activity itself, with no map of its own before it"

    def __init__(self, network, example, similarity: float = 0.99, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("local_losses", network, NOT_DEFINED)
        self.similarity = similarity
        self.loss = choose_loss(loss)
        with torch.no_grad():
            *hidden, output = network.activities(example)
        sizes = [h[0].numel() for h in hidden]
        self.classifiers = nn.ModuleList(nn.Linear(n, output.shape[-1]).to(output) for n in sizes)

    def assign_gradients(self, network, x, y):
        total = 0.0
        for layer, classifier in zip(network, self.classifiers, strict=False):
            activity = layer(x.detach())
            predicted = self.loss(classifier(activity.flatten(1)), y).mean()
            total = total + (1 - self.similarity) * predicted
            if self.similarity > 0:
                total = total + self.similarity * similarity_loss(activity, y, classifier.out_features)
            x = activity
        loss = self.loss(network[-1](x.detach()), y).mean()
        (total + loss).backward()
        return loss.detach()


def similarity_loss(activity: Float[Tensor, "batch ..."], y: Tensor, n_classes: int) -> Float[Tensor, ""]:
    """Mean squared difference between the similarity matrices of activity and of one-hot targets."""
    target = F.one_hot(y, n_classes).to(activity.dtype)
    return (_similarities(activity) - _similarities(target)).square().mean()


def _similarities(x: Tensor) -> Tensor:
    """Cosines between stimuli, each stimulus centred over its own features."""
    if x.dim() == 4:
        x = x.flatten(2).std(2)
    x = x.flatten(1)
    x = F.normalize(x - x.mean(1, keepdim=True))
    return x @ x.T


NOT_DEFINED = {
    "spikes": "layers learn by the slope of their units, and a spike has none",
    "attention": "a block of attention is several layers, with no activity to which one local loss belongs",
    "shared weights": "time steps share one layer, so that its loss would not be local in time",
}
