from itertools import islice

import numpy as np
import pytest

from brainlm.errors import ConfigError
from brainlm.simulate.answers import Strength
from brainlm.simulate.latents import draw_meanings
from brainlm.simulate.seeds import stream
from brainlm.simulate.stories import characters, draw_story, language
from brainlm.simulate.study import Study, size


@pytest.fixture(scope="module", params=["en", "zh"])
def study(request):
    return Study(size("demo"), 0, language(request.param), Strength())


def test_vocabulary_is_as_large_as_promised(study):
    words = [w for slots in study.lang.topics.values() for part in slots.values() for w in part]
    assert len(study.lang.topics) >= 12 and len(words) >= 300 and len(set(study.lang.frames)) >= 40
    assert len(words) == len(set(words)), "a word has one topic"
    assert not set(words) & {token for frame in study.lang.frames for token in frame}


def test_no_sentence_is_heard_or_read_twice(study):
    heard = [sentence for story in study.stories for sentence in story.sentences]
    read = study.text.split("\n")
    read = [line for line in read if line]
    assert len(heard) == len(set(heard))
    assert not set(heard) & set(read)
    for sentence in islice(study.stories[-1].sentences, 20):
        assert sentence not in study.text


def test_speech_keeps_the_promised_rate_and_varies(study):
    for story in study.stories:
        onsets = story.words["onset"].to_numpy()
        assert 2.0 < len(onsets) / story.duration < 3.0
        counts = np.histogram(onsets, np.arange(0, 301, 10))[0]
        assert counts.std() > 2
        assert (np.diff(onsets) >= story.words["duration"].to_numpy()[:-1] - 1e-6).all()


def test_topics_change_every_few_sentences(study):
    words = study.stories[0].words
    topics = words.loc[words["topic"] != "", "topic"]
    changes = (topics != topics.shift()).sum()
    assert 10 < study.stories[0].duration / changes < 25


def test_characters_spell_the_words_in_time(study):
    story = study.stories[0]
    table = characters(story)
    assert "".join(table["text"]) == story.space.join(story.words["text"])
    ends = (table["onset"] + table["duration"]).to_numpy()
    assert (table["onset"].to_numpy()[1:] >= ends[:-1] - 1e-3).all()
    assert ends[-1] == pytest.approx(story.duration, abs=1e-3)


def test_meanings_have_no_mean_and_words_share_their_topic(study):
    meanings = draw_meanings(study.lang, stream(3, "meanings"))
    assert np.abs(meanings.vectors.mean(0)).max() < 1e-12
    topics = np.array(meanings.topics)
    alike = np.corrcoef(meanings.vectors)
    same = topics[:, None] == topics[None]
    np.fill_diagonal(alike, np.nan)
    assert np.nanmean(alike[same]) > 0.5 > 0.1 > np.abs(np.nanmean(alike[~same]))


def test_same_seed_tells_the_same_story():
    lang = language("en")
    first, again, other = (draw_story("s", lang, 30, stream(n, "s"), set()) for n in (1, 1, 2))
    assert first.words.equals(again.words)
    assert first.sentences != other.sentences


def test_unknown_language_is_refused():
    with pytest.raises(ConfigError, match="Choose one of: en, zh"):
        language("fr")
