import torch
from transformers import DynamicCache

from brainlm.decoding.attention import ROOM, attend, roomy_cache


def test_a_cache_with_room_holds_what_a_growing_one_holds():
    random = torch.Generator().manual_seed(0)
    roomy, growing = roomy_cache(), DynamicCache()
    for place in range(2 * ROOM + 3):
        keys, values = torch.randn(2, 6, 2, 1, 4, generator=random)
        ours, theirs = roomy.update(keys, values, 0), growing.update(keys, values, 0)
        for own, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(own, other, rtol=0, atol=0)
        if place % 5 == 0:
            rows = torch.randint(6, (6,), generator=random)
            roomy.reorder_cache(rows)
            growing.reorder_cache(rows)
    assert roomy.get_seq_length() == growing.get_seq_length() == 2 * ROOM + 3


def test_texts_of_one_item_attend_to_one_memory_as_to_copies_of_it():
    random = torch.Generator().manual_seed(0)
    query = torch.randn(6, 2, 1, 4, generator=random)
    key, value = torch.randn(2, 3, 2, 5, 4, generator=random).unbind(0)
    module = torch.nn.Module().eval()
    shared, _ = attend(module, query, key, value, None)
    copied, _ = attend(module, query, key.repeat_interleave(2, 0), value.repeat_interleave(2, 0), None)
    weights = torch.einsum("rhqs,rhps->rhqp", query, key.repeat_interleave(2, 0)).div(4**0.5).softmax(-1)
    defined = torch.einsum("rhqp,rhps->rqhs", weights, value.repeat_interleave(2, 0))
    torch.testing.assert_close(shared, defined)
    torch.testing.assert_close(copied, defined)
