"""Step: write the run table of a data set (the workflow itself does, but for data yet to be simulated)."""

from pathlib import Path

from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index


def index(*, config: dict, out: Path) -> None:
    """Write index.tsv for the whole ``config``; every header, event and pointer fault stops it."""
    save_index(out, index_recordings(config))
