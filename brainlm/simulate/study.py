"""What all subjects of a simulated study share: stories, meanings, pictures, group weights."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from brainlm.errors import choose
from brainlm.simulate import brain, eeg
from brainlm.simulate.answers import Strength, group_weights
from brainlm.simulate.latents import Meanings, draw_meanings
from brainlm.simulate.pictures import CATEGORIES, describe, draw_picture
from brainlm.simulate.seeds import stream
from brainlm.simulate.stories import Language, Story, draw_story, language_model_text


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    subjects: int
    stories: int
    story_s: float
    eeg_stories: int
    pictures_each: int  # pictures a category that the brain sees; 0: no picture task
    picture_runs: int
    train_each: int  # pictures a category for training networks
    text_length: int  # characters of the language model's text


SIZES = {
    "demo": Size(3, 10, 300, 10, 10, 3, 100, 300_000),
    "tiny": Size(2, 3, 120, 1, 2, 2, 20, 40_000),
    "eeg": Size(2, 3, 120, 3, 0, 0, 0, 40_000),
    "null": Size(1, 4, 180, 4, 0, 0, 0, 60_000),
    "large": Size(3, 19, 300, 19, 10, 3, 100, 400_000),  # 60 min for training, 100 windows of 20 s for the test
}
FMRI_REPEATS, EEG_REPEATS = 2, 4  # of each picture a run
FMRI_SPACING_S, EEG_SPACING_S = (2.5, 3.5), (0.8, 1.0)


def size(name: str) -> Size:
    """The size called ``name``."""
    return SIZES[choose("size", name, sorted(SIZES))]


@dataclass(frozen=True)
class Study:
    """All that is drawn once from the seed; same seed, same study."""

    size: Size
    seed: int
    lang: Language
    strength: Strength

    @cached_property
    def _told(self) -> tuple[tuple[Story, ...], str]:
        """Stories and the language model's text: no sentence comes twice in any of them."""
        used: set[str] = set()
        stories = tuple(
            draw_story(f"story{n:02d}", self.lang, self.size.story_s, self.rng("story", str(n)), used)
            for n in range(1, self.size.stories + 1)
        )
        return stories, language_model_text(self.lang, self.size.text_length, self.rng("text"), used)

    @property
    def stories(self) -> tuple[Story, ...]:
        """The stories in order."""
        return self._told[0]

    @property
    def text(self) -> str:
        """The language model's training text."""
        return self._told[1]

    @cached_property
    def meanings(self) -> Meanings:
        """The latents of the content words."""
        return draw_meanings(self.lang, self.rng("meanings"))

    @cached_property
    def pictures(self) -> dict[str, UInt8[np.ndarray, "32 32 3"]]:
        """The pictures that the brain sees, by name (face01)."""
        return self._draw("seen", self.size.pictures_each)

    @cached_property
    def training_pictures(self) -> dict[str, UInt8[np.ndarray, "32 32 3"]]:
        """Other pictures of the same generator, for networks."""
        return self._draw("training", self.size.train_each)

    @cached_property
    def levels(self) -> dict[str, np.ndarray]:
        """The levels of description of the seen pictures, in their order; none where none is seen."""
        if not self.pictures:
            return {}
        return describe(np.stack(list(self.pictures.values())), [n[:-2] for n in self.pictures], self.rng("levels"))

    @cached_property
    def centres(self) -> dict[str, np.ndarray]:
        """Where the group's clusters lie."""
        return brain.draw_group_centres(self.rng("centres"))

    @cached_property
    def weights(self) -> np.ndarray:
        """The voxel weights that all subjects share."""
        return group_weights(self.rng("weights"))

    @cached_property
    def sensors(self) -> np.ndarray:
        """The sensor weights that all subjects share."""
        return eeg.draw_group_sensors(self.rng("sensors"))

    def rng(self, *names: str) -> np.random.Generator:
        """The random stream of a named part."""
        return stream(self.seed, *names)

    def picture_events(self, modality: str, run: int, subject: str) -> pd.DataFrame:
        """One picture run: every picture the same number of times, never twice in a row."""
        rng = self.rng("events", modality, str(run), subject)
        repeats, (low, high) = (FMRI_REPEATS, FMRI_SPACING_S) if modality == "fmri" else (EEG_REPEATS, EEG_SPACING_S)
        order: list[str] = []
        for _ in range(repeats):
            block = [str(name) for name in rng.permutation(list(self.pictures))]
            if order and order[-1] == block[0]:
                block.append(block.pop(0))
            order += block
        onsets = np.round(4 + np.cumsum(rng.uniform(low, high, len(order))), 3)
        duration = 1.0 if modality == "fmri" else 0.5
        files = [f"pictures/{name}.png" for name in order]
        return pd.DataFrame({"onset": onsets, "duration": duration, "trial_type": order, "stim_file": files})

    def _draw(self, purpose: str, each: int) -> dict[str, np.ndarray]:
        digits = max(2, len(str(each)))
        return {
            f"{category}{n:0{digits}d}": draw_picture(category, self.rng(purpose, category, str(n)))
            for category in CATEGORIES
            for n in range(1, each + 1)
        }
