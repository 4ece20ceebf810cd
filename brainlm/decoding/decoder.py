"""The character decoder: a small GPT-2 over characters that attends to brain features."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from brainlm.decoding.characters import END, START, Alphabet
from brainlm.decoding.search import beam_search

OVERSHOOT = 1.3  # no text of a batch grows beyond this multiple of the longest length that the features tell


class CharacterDecoder(nn.Module):
    """Writes text from features alone: the last feature is the length in characters, the others are content.

    A content feature is the posterior mean of a text coordinate (unit variance over texts) given the brain: 0 where
    the brain says nothing, so that features of zero leave a language model of texts of that length.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        width: int,
        longest: int,
        size: int = 96,
        layers: int = 2,
        heads: int = 4,
        slots: int = 4,
    ) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.longest = longest
        self.slots = slots
        config = GPT2Config(
            vocab_size=len(alphabet),
            n_positions=longest + 1,
            n_embd=size,
            n_layer=layers,
            n_head=heads,
            add_cross_attention=True,
            bos_token_id=START,
            eos_token_id=END,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
        self.transformer = GPT2LMHeadModel(config)
        self.read_content = nn.Linear(width - 1, slots * size)
        self.read_length = nn.Linear(1, size)

    def memory(self, features: Float[Tensor, "batch steps width"]) -> Float[Tensor, "batch slots size"]:
        """What the characters attend to: ``slots`` vectors of content a step, and one for the length."""
        content = self.read_content(features[..., :-1]).flatten(1).unflatten(1, (features.shape[1] * self.slots, -1))
        length = self.read_length(features[..., -1].mean(dim=1, keepdim=True) / self.longest)
        return torch.cat([content, length[:, None]], dim=1)

    def forward(
        self, characters: Int[Tensor, "batch characters"], features: Float[Tensor, "batch steps width"]
    ) -> Float[Tensor, "batch characters alphabet"]:
        """Logits of each character given those before it."""
        start = torch.full_like(characters[:, :1], START)
        inputs = torch.cat([start, characters[:, :-1]], dim=1)
        return self.transformer(inputs, encoder_hidden_states=self.memory(features)).logits

    def log_likelihood(
        self, characters: Int[Tensor, "batch characters"], features: Float[Tensor, "batch steps width"]
    ) -> Float[Tensor, " batch"]:
        """Log-probability of each text (nats), its first end mark included, what follows it not."""
        log_p = self(characters, features).log_softmax(dim=-1)
        each = log_p.gather(-1, characters[..., None])[..., 0]
        return (each * until_end(characters)).sum(dim=1)

    @torch.inference_mode()
    def decode(
        self, features: Float[Tensor, "batch steps width"], beam_width: int = 4, guidance: float = 1.0
    ) -> list[str]:
        """Free-running text of each item: no true text, length or timing can reach it.

        ``guidance`` w scores a character by (1 + w) log p(c | brain) - w log p(c | no brain); 0 is plain likelihood.
        """
        without = features.clone()
        without[..., :-1] = 0
        memory = torch.stack([self.memory(features), self.memory(without)])
        longest = min(self.longest, math.ceil(OVERSHOOT * features[..., -1].mean(dim=1).max().item()) + 1)
        numbers = beam_search(self.transformer, memory, beam_width, guidance, longest)
        return [self.alphabet.decode(row) for row in numbers.tolist()]


def until_end(characters: Int[Tensor, "batch characters"]) -> Float[Tensor, "batch characters"]:
    """1 up to and with the first end mark, 0 after it."""
    ends_before = (characters == END).cumsum(dim=1) - (characters == END).long()
    return (ends_before == 0).float()
