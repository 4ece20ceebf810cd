"""Stories: sentences from frames and topics, spoken at a varying rate with pauses."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from brainlm.errors import choose
from brainlm.simulate import chinese, english


@dataclass(frozen=True)
class Language:
    """What the generator needs of a language; ``seconds`` is a word's fixed part and its part a character."""

    name: str
    topics: dict[str, dict[str, list[str]]]
    frames: tuple[tuple[str, ...], ...]
    space: str
    seconds: tuple[float, float]

    def content_words(self) -> dict[str, str]:
        """Each content word with its topic."""
        return {word: topic for topic, slots in self.topics.items() for words in slots.values() for word in words}


@dataclass(frozen=True)
class Story:
    """A story as spoken: ``words`` has onset and duration (s), text, topic, sentence number, loudness."""

    name: str
    words: pd.DataFrame
    sentences: tuple[str, ...]
    space: str

    @property
    def duration(self) -> float:
        """Seconds from the story's start to the end of its last word."""
        return float(self.words["onset"].iloc[-1] + self.words["duration"].iloc[-1])


_LANGUAGES = {
    "en": Language("en", english.TOPICS, english.FRAMES, " ", (0.12, 0.05)),
    "zh": Language("zh", chinese.TOPICS, chinese.FRAMES, "", (0.14, 0.11)),
}


def language(name: str) -> Language:
    """The generator's language ``en`` or ``zh``."""
    return _LANGUAGES[choose("language", name, sorted(_LANGUAGES))]


def draw_sentence(lang: Language, topic: str, rng: np.random.Generator, used: set[str]) -> tuple[str, ...]:
    """A sentence on ``topic`` that is not in ``used``, to which it is added."""
    while True:
        words = _fill(lang.frames[rng.integers(len(lang.frames))], lang.topics[topic], rng)
        text = lang.space.join(words)
        if text not in used:
            used.add(text)
            return words


def draw_story(name: str, lang: Language, seconds: float, rng: np.random.Generator, used: set[str]) -> Story:
    """A story at least ``seconds`` long that ends with a whole sentence; no sentence of it is in ``used``."""
    rate = _speaking_rate(seconds + 60, rng)
    topics = _topic_order(lang, rng)
    rows: list[tuple] = []
    sentences: list[str] = []
    now = 0.0
    while now < seconds:
        topic = next(topics)
        for _ in range(rng.integers(3, 6)):
            if now >= seconds:
                break
            words = draw_sentence(lang, topic, rng, used)
            now = _speak(words, now, topic, len(sentences), rate, lang, rng, rows)
            sentences.append(lang.space.join(words))
    table = pd.DataFrame(rows, columns=["onset", "duration", "text", "topic", "sentence"])
    table["loudness"] = _loudness(table, rng)
    return Story(name, table, tuple(sentences), lang.space)


def characters(story: Story) -> pd.DataFrame:
    """Onset and duration (s) of each character; a word's time is shared equally, a space takes the gap."""
    rows: list[tuple] = []
    words = story.words
    nexts = [*words["onset"].iloc[1:], None]
    for onset, duration, text, after in zip(words["onset"], words["duration"], words["text"], nexts, strict=True):
        edges = np.round(onset + duration * np.arange(len(text) + 1) / len(text), 4)
        rows += [(a, round(b - a, 4), letter) for a, b, letter in zip(edges[:-1], edges[1:], text, strict=True)]
        if story.space and after is not None:
            rows.append((round(onset + duration, 4), round(after - onset - duration, 4), story.space))
    return pd.DataFrame(rows, columns=["onset", "duration", "text"])


def language_model_text(lang: Language, n_characters: int, rng: np.random.Generator, used: set[str]) -> str:
    """Sentences of the same generator, one a line, an empty line between passages; none is in ``used``."""
    lines: list[str] = []
    length = 0
    topics = _topic_order(lang, rng)
    while length < n_characters:
        for topic in (next(topics) for _ in range(len(lang.topics))):
            for _ in range(rng.integers(3, 6)):
                lines.append(lang.space.join(draw_sentence(lang, topic, rng, used)))
                length += len(lines[-1]) + 1
        lines.append("")
    return "\n".join(lines)


def _fill(frame: tuple[str, ...], slots: dict[str, list[str]], rng: np.random.Generator) -> tuple[str, ...]:
    drawn = {}
    for slot, words in slots.items():
        first, second = rng.choice(len(words), 2, replace=False)
        drawn |= {f"{{{slot}}}": words[first], f"{{{slot}2}}": words[second]}
    return tuple(drawn.get(token, token) for token in frame)


def _topic_order(lang: Language, rng: np.random.Generator):
    """Every topic once a round, in a new order, never twice in a row."""
    last = None
    while True:
        order = [str(topic) for topic in rng.permutation(list(lang.topics))]
        if order[0] == last:
            order.append(order.pop(0))
        yield from order
        last = order[-1]


def _speaking_rate(seconds: float, rng: np.random.Generator) -> Float[np.ndarray, " seconds"]:
    """A factor for each second, around 1, that wanders over 20 to 80 s."""
    t = np.arange(int(seconds) + 1)
    periods, phases = rng.uniform(20, 80, 4), rng.uniform(0, 2 * np.pi, 4)
    waves = np.sin(2 * np.pi * t[:, None] / periods + phases).sum(1)
    return np.exp(0.11 * waves)


def _speak(words, now, topic, sentence, rate, lang, rng, rows) -> float:
    fixed, each = lang.seconds
    content = {word for slot in lang.topics[topic].values() for word in slot}
    for word in words:
        pace = rate[int(now)]
        duration = round((fixed + each * len(word)) * rng.uniform(0.85, 1.15) / pace, 3)
        rows.append((round(now, 3), duration, word, topic if word in content else "", sentence))
        now += duration + rng.uniform(0.0, 0.03)
    return now + rng.gamma(2.0, 0.22) + (rng.uniform(0.8, 2.5) if rng.random() < 0.08 else 0.0)


def _loudness(words: pd.DataFrame, rng: np.random.Generator) -> Float[np.ndarray, " words"]:
    """Slow waves (15 to 50 s) times a word's own accent."""
    periods, phases = rng.uniform(15, 50, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * words["onset"].to_numpy()[:, None] / periods + phases).sum(1)
    return np.round(np.exp(0.35 * waves + rng.normal(0, 0.2, len(words))), 3)
