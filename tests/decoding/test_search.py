import torch
from transformers import DynamicCache

from brainlm.decoding.search import ROOM, roomy_cache


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
