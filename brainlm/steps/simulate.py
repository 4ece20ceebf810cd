"""Step: make the simulated data set."""

import json
import logging
import shutil
from pathlib import Path

from brainlm.errors import ConfigError
from brainlm.provenance import code_version
from brainlm.simulate.answers import Strength
from brainlm.simulate.dataset import write_dataset
from brainlm.simulate.stories import language as find_language
from brainlm.simulate.study import Study
from brainlm.simulate.study import size as find_size

log = logging.getLogger(__name__)


def simulate(
    *,
    out: Path,
    size: str = "demo",
    seed: int = 0,
    language: str = "en",
    planted: float = 1.0,
    distractors: float = 1.0,
) -> None:
    """Write a BIDS data set of stories and pictures, fMRI and EEG, with its truth under sourcedata/truth.

    Sizes: demo, tiny, eeg (two subjects, three stories), null (one subject, stories only), large. Languages: en, zh.
    ``planted`` and ``distractors`` multiply the amplitude of those answers (0: none). A folder that holds this very
    data set is left as it is; any other folder that is not empty is refused.
    """
    study = Study(find_size(size), seed, find_language(language), Strength(planted, distractors))
    settings = {"size": size, "seed": seed, "language": language, "planted": planted, "distractors": distractors}
    settings["code"] = code_version("brainlm.steps.simulate")
    if _is_there(out, settings):
        log.info("%s already holds this data set", out)
        return
    draft = out.with_name(out.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    write_dataset(draft, study)
    (draft / _MARK).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    if out.exists():
        out.rmdir()
    draft.rename(out)


_MARK = Path("sourcedata/truth/simulation.json")


def _is_there(out: Path, settings: dict) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    mark = out / _MARK
    if mark.is_file() and json.loads(mark.read_text(encoding="utf-8")) == settings:
        return True
    raise ConfigError(
        f"Expected a new or empty folder for the simulated data set, or this very data set; got {out} with other "
        f"content. Remove it or choose another --out."
    )
