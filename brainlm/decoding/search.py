"""From a decoder to texts, character by character, with cached keys and values: the most likely, or some by chance."""

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from brainlm.decoding.attention import roomy_cache
from brainlm.decoding.characters import END, START, UNKNOWN
from brainlm.decoding.vocabulary import ROOT, part_at


class _Writer:
    """Texts under way, ``width`` an item: their last characters, and all that their next ones depend on."""

    def __init__(
        self,
        decoder: nn.Module,
        memory: Float[Tensor, "batch slots size"],
        masses: Float[Tensor, "2 batch sums"],
        length: Real[Tensor, " batch"],
        width: int,
        guidance: float,
    ) -> None:
        self.decoder, self.masses, self.length, self.guidance = decoder, masses, length[:, None], guidance
        self.memory = memory
        self.cache = EncoderDecoderCache(roomy_cache(), DynamicCache())
        self.text_cache = roomy_cache()
        self.last = torch.full((len(memory), width), START, device=memory.device)
        self.after = torch.full_like(self.last, decoder.ngrams.first)
        self.within = torch.full_like(self.last, ROOT)
        self.part = torch.zeros_like(self.last)
        self.place = 0

    def logits(self) -> Float[Tensor, "batch width alphabet"]:
        """Of the next character; call once a character."""
        step = self.decoder.transformer(
            self.last.flatten()[:, None],
            encoder_hidden_states=self.memory,
            past_key_values=self.cache,
            use_cache=True,
        )
        grammar, fit, *heed = self.decoder.weights
        known = grammar * self.decoder.ngrams.log_p[self.after]
        known = known + (1 + self.guidance) * fit * self.decoder.vocabulary.change(self.masses, self.within, self.part)
        if self.decoder.text_model is not None:
            said = self.decoder.text_model(self.last.flatten()[:, None], self.text_cache)
            known = known + heed[0] * said[:, -1].unflatten(0, self.last.shape)
        return step.logits[:, -1].unflatten(0, self.last.shape) + known

    def write(self, characters: Int[Tensor, "batch width"], parent: Int[Tensor, "batch width"] | None = None) -> None:
        """Go on with ``characters``, each after the text ``parent`` of its item (None: its own)."""
        after, within, part = self.after, self.within, self.part
        if parent is not None:
            width = parent.shape[1]
            rows = parent + width * torch.arange(len(parent), device=parent.device)[:, None]
            self.cache.self_attention_cache.reorder_cache(rows.flatten())  # an item's texts all attend to one memory
            if self.decoder.text_model is not None:
                self.text_cache.reorder_cache(rows.flatten())
            after, within, part = after.gather(1, parent), within.gather(1, parent), part.gather(1, parent)
        self.after = self.decoder.ngrams.following[after, characters].long()
        self.within = self.decoder.vocabulary.following[within, characters]
        self.last = characters
        self.place += 1
        here = part_at(torch.full_like(part, self.place), self.length, self.decoder.parts)
        self.part = torch.where(self.within == ROOT, here, part)


def beam_search(
    decoder: nn.Module,
    memory: Float[Tensor, "batch slots size"],
    masses: Float[Tensor, "2 batch sums"],
    length: Float[Tensor, " batch"],
    beam_width: int,
    guidance: float,
    longest: int,
) -> Int[Tensor, "batch characters"]:
    """Best text of each item, as numbers of characters with end marks after its end.

    ``memory`` holds what the transformer attends to, ``masses`` what the vocabulary says of texts of ``length``. Every
    item has its own beam; a text that has ended keeps its score.
    """
    writer = _Writer(decoder, memory, masses, length, beam_width, guidance)
    batch, device = len(memory), memory.device
    score = torch.full((batch, beam_width), float("-inf"), device=device)
    score[:, 0] = 0  # all beams start alike: only one of them may be extended
    text = torch.empty(batch, beam_width, 0, dtype=torch.long, device=device)
    ended = torch.zeros(batch, beam_width, dtype=torch.bool, device=device)
    for _ in range(longest):
        score, parent, last = _extend(score, writer.logits().log_softmax(dim=-1), ended)
        text = torch.cat([text.gather(1, parent[..., None].expand_as(text)), last[..., None]], dim=-1)
        ended = ended.gather(1, parent) | (last == END)
        if ended.all():
            break
        writer.write(last, parent)
    return text[torch.arange(batch), score.argmax(dim=1)]


def _extend(
    score: Float[Tensor, "batch beam"], log_p: Float[Tensor, "batch beam alphabet"], ended: Bool[Tensor, "batch beam"]
) -> tuple[Float[Tensor, "batch beam"], Int[Tensor, "batch beam"], Int[Tensor, "batch beam"]]:
    """The best extensions of each item: their scores, the beams that they extend, and their characters."""
    stay = torch.full_like(log_p[0, 0], float("-inf"))
    stay[END] = 0
    log_p = torch.where(ended[..., None], stay, log_p)
    best, place = (score[..., None] + log_p).flatten(1).topk(score.shape[1], dim=1)
    return best, place // log_p.shape[-1], place % log_p.shape[-1]


def sample_texts(
    decoder: nn.Module,
    memory: Float[Tensor, "batch slots size"],
    masses: Float[Tensor, "2 batch sums"],
    lengths: Int[Tensor, " batch"],
    temperature: float,
    guidance: float,
    chance: Float[Tensor, "longest batch candidates"],
) -> Int[Tensor, "batch candidates characters"]:
    """Texts by chance, as numbers of characters with end marks after their end.

    ``chance`` holds numbers between 0 and 1, one a character: the character at that place of the summed probabilities
    is written. A text ends with the first word that ends at its item's length or later, and nowhere else.
    """
    writer = _Writer(decoder, memory, masses, lengths, chance.shape[-1], guidance)
    ended = torch.zeros_like(writer.last, dtype=torch.bool)
    text = []
    for place, drawn in enumerate(chance):
        logits = writer.logits()
        logits[..., [START, END, UNKNOWN]] = float("-inf")
        sums = (logits / temperature).softmax(dim=-1).cumsum(dim=-1)
        character = (sums <= drawn[..., None] * sums[..., -1:]).sum(dim=-1).clamp(max=sums.shape[-1] - 1)
        ended |= (place >= lengths)[:, None] & (writer.within == ROOT)
        character[ended] = END
        text.append(character)
        if ended.all():
            break
        writer.write(character)
    return torch.stack(text, dim=-1)
