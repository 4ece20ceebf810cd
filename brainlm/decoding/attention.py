"""How a decoder attends: the texts of one item share what they describe, and keep what they wrote in place."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

SHARED = "shared"  # the name under which transformers finds :func:`attend`
ROOM = 16  # characters by which kept keys and values grow


def attend(
    module: nn.Module,
    query: Float[Tensor, "rows heads queries size"],
    key: Float[Tensor, "items heads places size"],
    value: Float[Tensor, "items heads places size"],
    attention_mask: Tensor | None,
    **options: object,
) -> tuple[Float[Tensor, "rows queries heads size"], None]:
    """Scaled dot product attention; with fewer items than rows, the rows of an item are queries to its places."""
    if len(query) == len(key):
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    together = query[:, :, 0].unflatten(0, (len(key), -1)).transpose(1, 2)
    found, _ = sdpa_attention_forward(module, together, key, value, None, **options | {"is_causal": False})
    return found.flatten(0, 1)[:, None], None


AttentionInterface.register(SHARED, attend)
AttentionMaskInterface.register(SHARED, sdpa_mask)


class RoomyLayer(DynamicLayer):
    """Keys and values of what was written, with room for more: a character is written in place, nothing is copied.

    For searches, which take no gradients.
    """

    def update(
        self,
        key_states: Float[Tensor, "rows heads new size"],
        value_states: Float[Tensor, "rows heads new size"],
        *_: object,
        **__: object,
    ) -> tuple[Float[Tensor, "rows heads places size"], Float[Tensor, "rows heads places size"]]:
        """Add the new ones; returns all."""
        before, new = self.get_seq_length(), (key_states, value_states)
        places = before + key_states.shape[-2]
        if not before:
            self.lazy_initialization(*new)
            self.rooms = [part[..., :0, :] for part in new]
        if places > self.rooms[0].shape[-2]:
            more = -(-places // ROOM) * ROOM - before
            self.rooms = [_enlarged(room[..., :before, :], more) for room in self.rooms]
            self.spare = None
        for room, part in zip(self.rooms, new, strict=True):
            room[..., before:places, :] = part
        self.keys, self.values = (room[..., :places, :] for room in self.rooms)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Int[Tensor, " rows"]) -> None:
        """Go on with these rows."""
        places = self.get_seq_length()
        if self.spare is None:  # written to in turn: fresh memory for every character costs as much as the copy
            self.spare = torch.empty_like(self.rooms[0])
        for k, room in enumerate(self.rooms):
            torch.index_select(room, 0, beam_idx, out=self.spare)
            self.rooms[k], self.spare = self.spare, room
        self.keys, self.values = (room[..., :places, :] for room in self.rooms)


def _enlarged(kept: Float[Tensor, "rows heads places size"], more: int) -> Float[Tensor, "rows heads room size"]:
    return torch.cat([kept, kept.new_empty(*kept.shape[:2], more, kept.shape[3])], dim=-2)


def roomy_cache() -> Cache:
    """An empty cache whose layers have room."""
    return Cache(layer_class_to_replicate=RoomyLayer)
