"""A causal language model that somebody else trained, read character by character: one more voice in the decoder.

Only the tokens that are single characters are used, so that it says the probability of the next character of any text.
Its weights stay as they are; the decoder learns how much to heed it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from brainlm.decoding.characters import END, START, UNKNOWN, Alphabet

FLOOR = -20.0  # log-probability of what it cannot write


class TextModel(nn.Module):
    """``model`` and its token for each number of an alphabet."""

    def __init__(self, model: PreTrainedModel, tokens: Sequence[int]) -> None:
        super().__init__()
        self.model = model.requires_grad_(False).eval()
        self.register_buffer("tokens", torch.tensor(tokens), persistent=False)

    def train(self, mode: bool = True) -> "TextModel":
        """Never trained: whatever is asked for, nothing drops out."""
        return super().train(False)

    @torch.no_grad()
    def forward(
        self, characters: Int[Tensor, "batch characters"], cache: Cache | None = None
    ) -> Float[Tensor, "batch characters alphabet"]:
        """Log-probability of the next character after each of ``characters``; ``cache`` holds those before them."""
        read = self.model(self.tokens[characters], past_key_values=cache, use_cache=cache is not None).logits
        logits = read.float()[..., self.tokens]
        logits[..., [START, UNKNOWN]] = float("-inf")
        return logits.log_softmax(dim=-1).clamp(min=FLOOR)


def spell(tokenizer: PreTrainedTokenizerBase, alphabet: Alphabet) -> list[int]:
    """The token of each number of ``alphabet``; an unknown character is read as the end of a text.

    Raises
    ------
    ValueError
        If a character is no single token, or no token ends a text.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise ValueError("its tokenizer has no token that ends a text (eos_token)")
    found = {character: tokenizer.encode(character, add_special_tokens=False) for character in alphabet.characters}
    lost = [
        character
        for character, ids in found.items()
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id or ids[0] == end
    ]
    if lost:
        raise ValueError(f"it cannot spell {len(lost)} of {len(found)} characters, such as {lost[0]!r}")
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end
    special = {START: start, END: end, UNKNOWN: end}
    return [special[number] for number in sorted(special)] + [ids[0] for ids in found.values()]
