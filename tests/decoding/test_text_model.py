"""A causal model of single characters, from a folder, as one more voice of the decoder."""

import pytest
import torch
from small_decoder import TEXT, learn, make_decoder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from brainlm.decoding.characters import END, START, UNKNOWN, Alphabet
from brainlm.decoding.decoder import CharacterDecoder
from brainlm.decoding.search import _Writer
from brainlm.decoding.text_model import spell
from brainlm.errors import DataError
from brainlm.io.text_model import load_text_model
from brainlm.steps._language import Language, load_language, load_speller, save_language
from brainlm.stimuli.embeddings import fit_embedding
from brainlm.stimuli.text_space import fit_text_space

TOKENS = ["<end>", "b", "a", " ", "z"]  # in another order than the alphabet's


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of characters that knows TEXT by heart."""
    out = tmp_path_factory.mktemp("causal")
    characters = Tokenizer(models.WordLevel({token: i for i, token in enumerate(TOKENS)}, unk_token="z"))
    characters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=characters, eos_token="<end>", unk_token="z")
    tokenizer.save_pretrained(out)
    torch.manual_seed(0)
    marks = {"bos_token_id": 0, "eos_token_id": 0}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(TOKENS), n_positions=40, n_embd=16, n_layer=1, n_head=2, **marks))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    text = torch.tensor([[0, *tokenizer.encode(TEXT)]])
    for _ in range(60):
        optimizer.zero_grad()
        model(text, labels=text).loss.backward()
        optimizer.step()
    model.save_pretrained(out)
    return out


def with_text_model(folder) -> CharacterDecoder:
    plain = make_decoder()
    sizes = {"width": 4, "longest": 9, "size": 16, "layers": 1, "heads": 2}
    text_model = load_speller(str(folder), plain.alphabet, 9)
    return CharacterDecoder(plain.alphabet, plain.ngrams, plain.vocabulary, **sizes, text_model=text_model)


def test_the_voice_is_the_model_s_own_probability_of_single_characters(folder):
    text_model = load_speller(str(folder), Alphabet(" ab"), 9)
    assert text_model.tokens.tolist() == [0, 0, 0, 3, 2, 1]
    numbers = torch.tensor([[START, 4, 5, 3]])  # "ab "
    logits = text_model.model(torch.tensor([[0, 2, 1, 3]])).logits[0]
    expected = logits[:, [0, 3, 2, 1]].log_softmax(dim=-1)
    said = text_model(numbers)[0]
    torch.testing.assert_close(said[:, [END, 3, 4, 5]], expected)
    assert (said[:, [START, UNKNOWN]] == -20).all()


@torch.no_grad()  # as every search
def test_written_character_by_character_it_says_what_it_says_of_the_whole(folder):
    decoder = with_text_model(folder).eval()
    decoder.weights.fill_(0.7)
    features = torch.cat([torch.randn(1, 1, 3), torch.full((1, 1, 1), 6.0)], dim=-1)
    characters = torch.tensor([[4, 5, 3, 4, END]])
    masses = decoder.vocabulary.masses(features[..., :-1])
    writer = _Writer(decoder, decoder.memory(features), masses, features[:, 0, -1], 1, 0.0)
    whole = decoder(characters, features)
    for place in range(4):
        torch.testing.assert_close(writer.logits()[0, 0], whole[0, place])
        writer.write(characters[:, place, None], torch.zeros(1, 1, dtype=torch.long))


def test_a_decoder_learns_to_heed_a_model_that_knows_the_text_and_leaves_it_as_it_is(folder):
    decoder = with_text_model(folder)
    before = {name: value.clone() for name, value in decoder.text_model.state_dict().items()}
    decoder.ngrams.log_p.fill_(-1.0)  # n-grams that know nothing
    alone = make_decoder()
    alone.ngrams.log_p.fill_(-1.0)
    heeding, without = (list(learn(one, 60))[-1]["validation"] for one in (decoder, alone))
    assert heeding < without and decoder.weights[2] > 0.05
    for name, value in decoder.text_model.state_dict().items():
        assert torch.equal(value, before[name])
    assert not decoder.text_model.training and not decoder.text_model.model.training


def test_a_decoder_is_stored_without_its_text_model_and_built_again_with_it(folder, tmp_path):
    lines = [TEXT.split()] * 20
    embedding = fit_embedding(lines, 2)
    space = fit_text_space(embedding, [["ab", "a"], ["a", "b"], ["b", "b", "ab"], ["ab"]] * 5, 2, 1)
    decoder = with_text_model(folder)
    with torch.no_grad():
        decoder.weights[2] = 0.5
    save_language(tmp_path, Language(decoder, space, {"a": 0.4, "b": 0.2, "ab": 0.4}, "text.txt", str(folder)))
    again = load_language(tmp_path)
    assert again.text_model == str(folder)
    characters, features = torch.tensor([[4, 5, END]]), torch.ones(1, 1, 4)
    torch.testing.assert_close(again.decoder(characters, features), decoder.eval()(characters, features))


def test_a_model_that_cannot_spell_the_text_is_refused_in_one_line(folder):
    with pytest.raises(DataError, match="it cannot spell 2 of 4 characters, such as 'c'. Choose a model of characters"):
        load_speller(str(folder), Alphabet("acd "), 9)
    with pytest.raises(DataError, match="expected a model that reads 50 tokens, got one of 40"):
        load_speller(str(folder), Alphabet("ab"), 50)


def test_a_tokenizer_without_an_end_is_refused(folder):
    tokenizer, _ = load_text_model(folder, causal=True)
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="no token that ends a text"):
        spell(tokenizer, Alphabet("ab"))
