"""Batched beam search with cached keys and values; every item of the batch has its own beam."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from brainlm.decoding.characters import END, START


def beam_search(
    transformer: nn.Module,
    memory: Float[Tensor, "2 batch slots size"],
    beam_width: int,
    guidance: float,
    longest: int,
) -> Int[Tensor, "batch characters"]:
    """Best text of each item, as numbers of characters with end marks after its end.

    ``memory`` holds what the transformer attends to with the brain and without it; they differ in weight by
    ``guidance`` (see :meth:`CharacterDecoder.decode`). A beam that has ended keeps its score.
    """
    batch = memory.shape[1]
    device = memory.device
    expanded = memory.repeat_interleave(beam_width, dim=1).flatten(0, 1)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    score = torch.full((batch, beam_width), float("-inf"), device=device)
    score[:, 0] = 0  # all beams start alike: only one of them may be extended
    text = torch.empty(batch, beam_width, 0, dtype=torch.long, device=device)
    last = torch.full((batch, beam_width), START, device=device)
    ended = torch.zeros(batch, beam_width, dtype=torch.bool, device=device)
    for _ in range(longest):
        step = transformer(
            last.flatten().repeat(2)[:, None], encoder_hidden_states=expanded, past_key_values=cache, use_cache=True
        )
        log_p = _guided(step.logits[:, -1], guidance).view(batch, beam_width, -1)
        score, parent, last = _extend(score, log_p, ended)
        text = torch.cat([text.gather(1, parent[..., None].expand_as(text)), last[..., None]], dim=-1)
        ended = ended.gather(1, parent) | (last == END)
        if ended.all():
            break
        cache.reorder_cache(_rows(parent))
    return text[torch.arange(batch), score.argmax(dim=1)]


def _guided(logits: Float[Tensor, "rows alphabet"], guidance: float) -> Float[Tensor, "half alphabet"]:
    """(1 + w) log p(with) - w log p(without), normalised again; the first half of the rows is with the brain."""
    with_brain, without = logits.log_softmax(dim=-1).chunk(2)
    return ((1 + guidance) * with_brain - guidance * without).log_softmax(dim=-1)


def _extend(
    score: Float[Tensor, "batch beam"], log_p: Float[Tensor, "batch beam alphabet"], ended: Bool[Tensor, "batch beam"]
) -> tuple[Float[Tensor, "batch beam"], Int[Tensor, "batch beam"], Int[Tensor, "batch beam"]]:
    """The best extensions of each item: their scores, the beams that they extend, and their characters."""
    stay = torch.full_like(log_p[0, 0], float("-inf"))
    stay[END] = 0
    log_p = torch.where(ended[..., None], stay, log_p)
    best, place = (score[..., None] + log_p).flatten(1).topk(score.shape[1], dim=1)
    return best, place // log_p.shape[-1], place % log_p.shape[-1]


def _rows(parent: Int[Tensor, "batch beam"]) -> Int[Tensor, " rows"]:
    """Rows of the cache that the new beams continue, for both halves (with the brain and without)."""
    batch, width = parent.shape
    rows = (parent + width * torch.arange(batch, device=parent.device)[:, None]).flatten()
    return torch.cat([rows, rows + batch * width])
