"""Feedback alignment (Lillicrap et al. 2016)."""

from brainlm.learning.base import LearningRule
from brainlm.learning.defined import require
from brainlm.learning.feedback import forward_with_feedback, random_feedback
from brainlm.learning.losses import choose_loss


class FeedbackAlignment(LearningRule):
    """Backpropagation whose errors go back through fixed random weights B, not through the transposed weights.

    d_l = (B_{l+1}^T d_{l+1}) o f'(a_l), dW_l = -d_l h_{l-1}^T. B has the shape of W, and is drawn from the
    distribution of the layer's initial weights. Time steps of a recurrent network share B as they share W.
    """

    def __init__(self, network, example, loss: str = "cross_entropy"):
        super().__init__(network, example)
        require("feedback_alignment", network, NOT_DEFINED)
        self.loss = choose_loss(loss)
        self.feedback = random_feedback(network)

    def assign_gradients(self, network, x, y):
        loss = self.loss(forward_with_feedback(network, x, list(self.feedback)), y).mean()
        loss.backward()
        return loss.detach()


NOT_DEFINED = {
    "spikes": "the error needs the slope of each unit, and a spike has none",
    "attention": "the weights of attention depend on the stimulus, so that no fixed feedback stands in for them",
}
