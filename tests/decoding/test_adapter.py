"""Oracles: the same edit folded into the weights of the layer; a planted edit; parts that contradict each other."""

import pytest
import small_decoder
import torch

from brainlm.decoding.adapter import Adapter, Said, fit_adapter
from brainlm.decoding.decoder import CharacterDecoder


def make_decoder() -> CharacterDecoder:
    decoder = small_decoder.make_decoder()
    decoder.transformer.lm_head.weight.data.mul_(8)  # larger than GPT-2's start, so that texts differ
    return decoder.eval()


def features(n: int, length: float = 4) -> torch.Tensor:
    told = torch.randn(n, 1, 4, generator=torch.Generator().manual_seed(1))
    told[..., -1] = length
    return told


def random_adapter() -> Adapter:
    torch.manual_seed(3)
    adapter = Adapter(1, 16)
    adapter.scale.data.normal_(1, 0.5)
    adapter.bias.data.normal_(0, 2)
    return adapter


@torch.no_grad()
def test_an_adapter_is_its_scale_and_bias_folded_into_the_last_weights_of_each_layer():
    """RED (Wu et al. 2024): h' = s * (W h + b) + c has the weights s * W and the bias s * b + c."""
    texts, told, adapter = torch.randint(3, 6, (5, 4)), features(5), random_adapter()
    edited, folded = make_decoder(), make_decoder()
    before = edited.log_likelihood(texts, told)
    handles = adapter.attach(edited)
    last = folded.transformer.transformer.h[0].mlp.c_proj  # GPT-2 keeps inputs x outputs
    last.weight.mul_(adapter.scale[0])
    last.bias.mul_(adapter.scale[0]).add_(adapter.bias[0])
    torch.testing.assert_close(edited.log_likelihood(texts, told), folded.log_likelihood(texts, told))
    assert edited.sample(told, 3, 1.0) == folded.sample(told, 3, 1.0)
    assert not torch.allclose(edited.log_likelihood(texts, told), before, atol=0.1)
    for handle in handles:
        handle.remove()
    assert torch.equal(edited.log_likelihood(texts, told), before)


def test_a_planted_edit_is_found_on_texts_left_out_and_nothing_else_moves():
    decoder, writer, told = make_decoder(), make_decoder(), features(60, 8)
    random_adapter().attach(writer)
    texts = [drawn[0] for drawn in writer.sample(told, 1, 1.0)]
    characters = decoder.alphabet.batch(texts)
    parts = [Said(characters[i::3], told[i::3]) for i in range(3)]
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    fitted = fit_adapter(decoder, parts, updates=200)
    assert min(nats for _, nats in fitted.nats) < fitted.nats[0][1] - 0.05
    assert all(torch.equal(tensor, before[name]) for name, tensor in decoder.state_dict().items())
    assert any(parameter.requires_grad for parameter in decoder.parameters())
    fitted.adapter.attach(decoder)
    with torch.no_grad():
        edited = decoder.log_likelihood(characters, told).sum()
        assert edited > make_decoder().log_likelihood(characters, told).sum()


def test_where_parts_contradict_each_other_nothing_is_edited():
    decoder, told = make_decoder(), features(8, 8)
    parts = [Said(decoder.alphabet.batch([text] * 8), told) for text in ("a a a a", "b b b b")]
    fitted = fit_adapter(decoder, parts, updates=50)
    assert [n for n, _ in fitted.nats] == list(range(0, 51, 5))
    assert torch.equal(fitted.adapter.scale, torch.ones(1, 16)) and not fitted.adapter.bias.any()


def test_one_part_is_refused():
    decoder = make_decoder()
    with pytest.raises(ValueError, match="expected two parts of windows or more, got .2."):
        fit_adapter(decoder, [Said(torch.full((2, 4), 3), features(2))], 10)
