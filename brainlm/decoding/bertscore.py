"""BERTScore (Zhang et al. 2020): how well the tokens of two texts match by their vectors in context.

Every token takes the most similar token of the other text (cosine); precision averages over the decoded text, recall
over the true one, and the score is their harmonic mean. Vectors are of the last layer, without weights by rarity.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize


def greedy_f1(decoded: Float[Tensor, "decoded width"], true: Float[Tensor, "true width"]) -> float:
    """F1 of the greedy match; 0 where a text has no token."""
    if not len(decoded) or not len(true):
        return 0.0
    alike = normalize(decoded, dim=1) @ normalize(true, dim=1).T
    precision, recall = float(alike.max(dim=1).values.mean()), float(alike.max(dim=0).values.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


@torch.inference_mode()
def token_vectors(tokenizer: object, model: nn.Module, texts: Sequence[str]) -> list[Float[Tensor, "_ width"]]:
    """Vectors in context of each text's tokens, marks of start and end left out."""
    vectors = []
    for text in texts:
        told = tokenizer(text, return_special_tokens_mask=True, return_tensors="pt", truncation=True)
        own = told.pop("special_tokens_mask")[0] == 0
        if own.any():
            vectors.append(model(**told.to(model.device)).last_hidden_state[0, own].float().cpu())
        else:
            vectors.append(torch.zeros(0, model.config.hidden_size))
    return vectors


def bertscore(
    tokenizer: object, model: nn.Module, decoded: Sequence[str], true: Sequence[str]
) -> Float[np.ndarray, " texts"]:
    """The score of each decoded text against the true one."""
    pairs = zip(token_vectors(tokenizer, model, decoded), token_vectors(tokenizer, model, true), strict=True)
    return np.array([greedy_f1(one, other) for one, other in pairs])
