"""The audit of a split: no recording and no text of the test may stand in what was trained on."""

import logging
from collections import Counter
from collections.abc import Sequence

from brainlm.decoding.audit import Overlap, find_leaks, measure_overlap
from brainlm.decoding.characters import Alphabet
from brainlm.errors import DataError
from brainlm.io.language import read_text
from brainlm.steps._runs import Sources, load_tokens, story_rows
from brainlm.stimuli.embeddings import tokenize

logger = logging.getLogger(__name__)
MAX_UNKNOWN = 0.1  # of a story's characters


def audit_stories(
    sources: Sources, split: dict, facts: dict, test: Sequence[Sequence[str]], settings: dict
) -> tuple[str, Overlap]:
    """The stamp of leaks ("none" where there are none), and what the test windows share with all training text.

    Training text is what was said in training and validation, and the text that the language model was taught.

    Raises
    ------
    DataError
        If there is a leak and ``evaluation.allow_leaks`` is not set.
    """
    limits = settings["evaluation"]
    texts = [tokens for _, tokens in _told(sources, [*split["training"], *split["validation"]])]
    lines = read_text(sources.bids_root / settings["decoder"]["text"])
    texts.append([token for line in lines for token in tokenize(line)])
    overlap = measure_overlap(test, texts)
    roles = {role: split[role] for role in ("training", "validation", "test")}
    leaks = find_leaks(roles, facts["fitted_on"], overlap, limits["max_shared_pairs"], limits["max_shared_words"])
    return stamp_leaks(leaks, f"sub-{facts['subject']} {facts['protocol']}", settings), overlap


def check_alphabet(sources: Sources, recordings: Sequence[str], alphabet: Alphabet) -> None:
    """Tell which characters of the stories no text of the decoder can hold, as ``decoder.text`` holds none of them.

    Raises
    ------
    DataError
        If they are more than a tenth of a story: another script, or another language.
    """
    for story, tokens in _told(sources, recordings):
        counts = Counter("".join(tokens))
        unknown = {character: n for character, n in counts.most_common() if character not in alphabet.characters}
        share = sum(unknown.values()) / max(1, counts.total())
        told = f"{story}: {share:.0%} of its characters are not in decoder.text: {''.join(unknown)[:20]!r}"
        if share > MAX_UNKNOWN:
            raise DataError(f"{told}; expected at most {MAX_UNKNOWN:.0%}. Give a text in the language of the stories.")
        if unknown:
            logger.warning("%s; they are read as unknown, and never written", told)


def stamp_leaks(leaks: list[str], where: str, settings: dict) -> str:
    """What stands beside scores that count for nothing as ``leaks`` were allowed; "none" without any.

    Raises
    ------
    DataError
        If there are leaks and they were not allowed.
    """
    if not leaks:
        return "none"
    if not settings["evaluation"]["allow_leaks"]:
        raise DataError(
            f"{where}: {len(leaks)} leaks: {leaks[0]}. Mend splits: or decoder.text; evaluation.allow_leaks: true "
            "scores it all the same, with a stamp."
        )
    logger.warning("%s: %d leaks allowed: %s", where, len(leaks), leaks[0])
    return leaks[0] + (f", and {len(leaks) - 1} more" if len(leaks) > 1 else "")


def _told(sources: Sources, recordings: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Name and tokens of each story of ``recordings``, once each."""
    rows = story_rows(sources).set_index("recording").loc[list(recordings)]
    stories = sorted(set(rows["story"]))
    return [(story, load_tokens(sources.stimuli / f"{story}_words.tsv")["text"].tolist()) for story in stories]
