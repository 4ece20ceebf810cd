"""Keep the progress of a training beside its results until they are written, and only for the same job."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from brainlm.decoding.windows import StoryRun
from brainlm.io.checkpoint import load_checkpoint, save_checkpoint
from brainlm.provenance import code_version

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A file that goes with one job: another job's, told by ``job``, is not read."""

    path: Path
    job: str

    @classmethod
    def of(cls, folder: Path, step: str, **facts: object) -> "Checkpoint":
        """In the job's ``folder``; ``facts`` are all that the result depends on, beside the code of ``step``."""
        told = json.dumps([code_version(f"brainlm.steps.{step}"), facts], sort_keys=True, default=str)
        return cls(folder / "checkpoint.safetensors", hashlib.sha256(told.encode()).hexdigest())

    def load(self) -> tuple[dict[str, Tensor], dict] | None:
        """Tensors and facts of the same job's last checkpoint, or None."""
        kept = load_checkpoint(self.path)
        if kept is None:
            return None
        if kept[1].get("job") != self.job:
            logger.warning("%s is of another configuration or other data: training starts anew", self.path)
            return None
        logger.info("training goes on after update %d (%s)", kept[1]["update"], self.path)
        return kept

    def save(self, tensors: dict[str, Tensor], facts: dict) -> None:
        """Replace the file."""
        save_checkpoint(self.path, tensors, facts | {"job": self.job})

    def remove(self) -> None:
        """When results are written."""
        self.path.unlink(missing_ok=True)


def digest_runs(runs: Sequence[StoryRun]) -> str:
    """Tells whether brain or text of ``runs`` has changed."""
    digest = hashlib.sha256()
    for run in runs:
        digest.update(run.recording.encode())
        for array in (run.series, run.coordinates, run.tokens, run.characters):
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
