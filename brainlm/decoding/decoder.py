"""The character decoder: a small GPT-2 over characters that attends to brain features."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from brainlm.decoding.attention import SHARED
from brainlm.decoding.characters import END, START, Alphabet
from brainlm.decoding.hardware import whole
from brainlm.decoding.ngrams import Ngrams
from brainlm.decoding.search import beam_search, sample_texts
from brainlm.decoding.text_model import TextModel
from brainlm.decoding.vocabulary import Vocabulary, parts_along

OVERSHOOT = 1.3  # no text of a batch grows beyond this multiple of the longest length that the features tell

ITEMS = 12  # items drawn at once: the keys of more outgrow the memory that the allocator keeps


class CharacterDecoder(nn.Module):
    """Writes text from features alone: the last feature is the length in characters, the others are content.

    Features come in ``parts``, one for each equal share of the text, in order; all tell the length of the whole. A
    content feature is the posterior mean of a coordinate of that part (unit variance over parts of texts) given the
    brain: 0 where the brain says nothing, so that features of zero leave a language model of texts of that length. The
    transformer adds to what ``ngrams`` say of spelling and grammar, ``vocabulary`` of words that fit the content, and a
    ``text_model`` that somebody else trained, where there is one, of what comes next.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        ngrams: Ngrams,
        vocabulary: Vocabulary,
        width: int,
        longest: int,
        size: int = 96,
        layers: int = 2,
        heads: int = 4,
        slots: int = 4,
        parts: int = 1,
        text_model: TextModel | None = None,
    ) -> None:
        super().__init__()
        self.alphabet = alphabet
        self.ngrams = ngrams
        self.vocabulary = vocabulary
        self.text_model = text_model
        voices = [1.0, 1.0] if text_model is None else [1.0, 1.0, 0.0]
        self.weights = nn.Parameter(torch.tensor(voices))  # of ngrams, of vocabulary and of the text model
        self.longest = longest
        self.slots, self.parts = slots, parts
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
            activation_function="gelu_pytorch_tanh",  # GPT-2's own, in one operation
            attn_implementation=SHARED,
        )
        self.transformer = GPT2LMHeadModel(config)
        self.read_content = nn.Linear(width - 1, slots * size)
        self.read_length = nn.Linear(1, size)
        self.place = nn.Parameter(torch.zeros(parts, size))

    def memory(self, features: Float[Tensor, "batch parts width"]) -> Float[Tensor, "batch slots size"]:
        """What the characters attend to: ``slots`` vectors of content a part, and one for the length."""
        content = self.read_content(features[..., :-1]).unflatten(2, (self.slots, -1)) + self.place[:, None]
        content = content.flatten(1, 2)
        length = self.read_length(length_of(features)[:, None] / self.longest)
        return torch.cat([content, length[:, None]], dim=1)

    def forward(
        self, characters: Int[Tensor, "batch characters"], features: Float[Tensor, "batch parts width"]
    ) -> Float[Tensor, "batch characters alphabet"]:
        """Logits of each character given those before it."""
        logits = self.transformer(before(characters), encoder_hidden_states=self.memory(features)).logits
        with whole(features.device):
            return logits.float() + self.known(characters, features) @ self.weights

    def known(
        self, characters: Int[Tensor, "batch characters"], features: Float[Tensor, "batch parts width"]
    ) -> Float[Tensor, "batch characters alphabet voices"]:
        """What n-grams, vocabulary and text model say of each character given those before it."""
        masses = self.vocabulary.masses(features[..., :-1])
        states = self.vocabulary.states(characters)
        part = parts_along(states, length_of(features), self.parts)
        fitting = self.vocabulary.change(masses, states, part)
        voices = [self.ngrams.log_p[self.ngrams.states(characters)], fitting]
        if self.text_model is not None:
            voices.append(self.text_model(before(characters)))
        return torch.stack(voices, dim=-1)

    def log_likelihood(
        self, characters: Int[Tensor, "batch characters"], features: Float[Tensor, "batch parts width"]
    ) -> Float[Tensor, " batch"]:
        """Log-probability of each text (nats), its first end mark included, what follows it not."""
        log_p = self(characters, features).log_softmax(dim=-1)
        each = log_p.gather(-1, characters[..., None])[..., 0]
        return (each * until_end(characters)).sum(dim=1)

    @torch.inference_mode()
    def decode(
        self, features: Float[Tensor, "batch parts width"], beam_width: int = 4, guidance: float = 0.0
    ) -> list[str]:
        """The most likely text of each item, free-running: no true text, length or timing can reach it.

        ``guidance`` raises the weight of words that fit the content beyond the one learned, by this share.
        """
        masses = self.vocabulary.masses(features[..., :-1])
        length, longest = length_of(features), self._longest(features).max().item()
        numbers = beam_search(self, self.memory(features), masses, length, beam_width, guidance, longest)
        return [self.alphabet.decode(row) for row in numbers.tolist()]

    @torch.inference_mode()
    def sample(
        self,
        features: Float[Tensor, "batch parts width"],
        candidates: int,
        temperature: float,
        guidance: float = 0.0,
        seed: int = 0,
    ) -> list[list[str]]:
        """``candidates`` texts of each item by chance, free-running, each as long as its features say.

        Probabilities to the power 1 / ``temperature``; chance depends on ``seed`` and an item's place in the batch.
        """
        masses = self.vocabulary.masses(features[..., :-1])
        lengths = length_of(features).round().long().clamp(1, self.longest - 1)
        chance = [torch.Generator().manual_seed(seed + i) for i in range(len(features))]
        drawn = torch.stack([torch.rand(self.longest, candidates, generator=own) for own in chance], dim=1)
        memory, drawn = self.memory(features), drawn.to(features.device)
        texts: list[list[str]] = []
        for few in torch.arange(len(features), device=features.device).split(ITEMS):
            numbers = sample_texts(
                self, memory[few], masses[:, few], lengths[few], temperature, guidance, drawn[:, few]
            )
            texts += [[self.alphabet.decode(row).strip() for row in item] for item in numbers.tolist()]
        return texts

    def _longest(self, features: Float[Tensor, "batch parts width"]) -> Int[Tensor, " batch"]:
        most = (OVERSHOOT * length_of(features)).ceil().long() + 1
        return most.clamp(max=self.longest)


def before(characters: Int[Tensor, "batch characters"]) -> Int[Tensor, "batch characters"]:
    """What stands before each character: the start mark, then all but the last."""
    return torch.cat([torch.full_like(characters[:, :1], START), characters[:, :-1]], dim=1)


def length_of(features: Float[Tensor, "batch parts width"]) -> Float[Tensor, " batch"]:
    """The length in characters that the features tell."""
    return features[..., -1].mean(dim=1)


def until_end(characters: Int[Tensor, "batch characters"]) -> Float[Tensor, "batch characters"]:
    """1 up to and with the first end mark, 0 after it."""
    ends_before = (characters == END).cumsum(dim=1) - (characters == END).long()
    return (ends_before == 0).float()
