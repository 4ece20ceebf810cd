"""What a BIDS folder holds: the run table, with every header, event and pointer fault found before any job starts."""

import difflib
import logging
import math
import re
from pathlib import Path

import pandas as pd

from brainlm.errors import ConfigError, DataError
from brainlm.io.fmriprep import check_engine, find_prepared
from brainlm.io.headers import Header, read_header, sidecar
from brainlm.io.mne_pipeline import ENGINE as MNE_PIPELINE
from brainlm.io.mne_pipeline import check_eeg_engine, find_clean
from brainlm.io.series import examine_series, find_series
from brainlm.io.store import load_json
from brainlm.io.transcripts import find_transcript, has_transcript

logger = logging.getLogger(__name__)

COLUMNS = [
    *("recording", "modality", "subject", "session", "task", "acq", "run", "path", "events", "story", "use"),
    *("t_r", "n_samples", "duration_s", "excluded", "reason"),
]
FILES = {
    "fmri": ("func", re.compile(r"_bold\.nii(\.gz)?$")),
    "eeg": ("eeg", re.compile(r"_eeg\.(vhdr|edf|bdf|set|fif|cnt)$")),
}
OF_ONE_RECORDING = re.compile(r"_(echo-[0-9]+|part-mag)(?=_|$)")
SECONDS = ("s", "sec", "second", "seconds")
USES = ("story", "labels", "conditions")


NAME = re.compile(r"sub-[A-Za-z0-9]+/(ses-[A-Za-z0-9]+/)?(func|eeg)/sub-[A-Za-z0-9]+(_[A-Za-z0-9]+-[A-Za-z0-9+]+)*")
STORY = re.compile(r"\w[\w .+-]*")


def index_recordings(config: dict) -> pd.DataFrame:
    """The run table of ``config``: one row a recording of its tasks and participants, every cell a string.

    Raises
    ------
    ConfigError, DataError
        At the first fault of the folder, a header, events or a pointer; excluded recordings are not opened.
    """
    root = Path(config["bids_root"])
    series = config.get("fmri", {}).get("series")
    check_root(root, described=not series)
    if "engine" in config.get("fmri", {}):
        check_engine(config["fmri"])
    _check_eeg(config.get("eeg", {}))
    found = find_series(root, series) if series else [row for modality in FILES for row in _find(root, modality)]
    if not found:
        formats = "sub-*/func/*_bold.nii or .nii.gz, sub-*/eeg/*_eeg.vhdr, .edf, .bdf, .set, .fif or .cnt"
        raise DataError(f"{root}: expected recordings ({formats}), found none. Convert other formats.")
    table = pd.DataFrame(found, columns=COLUMNS).fillna("")
    table = table[table["subject"].isin(choose_subjects(config, set(table["subject"])))]
    table = _choose_tasks(table, config["tasks"])
    _check_names(root, table)
    for row, reason in _exclusions(table, config.get("exclude") or []):
        table.loc[table["recording"] == row, ["excluded", "reason"]] = ["yes", reason]
    _check_stories(table, config.get("stories") or {})
    rows = [row if row["excluded"] else _examine(root, row, config) for row in table.to_dict("records")]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("recording", ignore_index=True)


def check_root(root: Path, described: bool = True) -> None:
    """Stop unless ``root`` is a folder, and (``described``) a BIDS data set."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise ConfigError(f"bids_root: expected a folder, got {root}, which {what}. Set it in the config.")
    if described and not (root / "dataset_description.json").is_file():
        raise DataError(
            f"{root}: expected a BIDS data set, but it has no dataset_description.json. "
            "Point bids_root at the folder that holds that file."
        )


def choose_subjects(config: dict, present: set[str]) -> list[str]:
    """Labels of ``participants`` (all where the config names none), each checked to be text and present."""
    wanted = config.get("participants") or sorted(present)
    for label in wanted:
        if not isinstance(label, str):
            raise ConfigError(
                f"participants: expected text, got the number {label!r}: a label such as 01 loses its zero. "
                f"Write '{label:02}' in quotes."
            )
        if not re.fullmatch("[A-Za-z0-9]+", label.removeprefix("sub-")):
            raise ConfigError(f"participants: expected labels of letters and digits, got {label!r}.")
        if label.removeprefix("sub-") not in present:
            close = difflib.get_close_matches(label, sorted(present), n=1, cutoff=0)
            hint = f"did you mean {close[0]}?" if close else "the data set has no recordings."
            raise ConfigError(f"participants: {label} is not in {config['bids_root']}; {hint}")
    return [label.removeprefix("sub-") for label in wanted]


def read_events(path: Path) -> pd.DataFrame:
    """Events with onset and duration as numbers (s) and trial_type as text, in order of onset.

    A duration of n/a is 0, as BIDS has it for what lasts no time; a missing trial_type (BIDS allows it) is n/a.

    Raises
    ------
    DataError
        If the file, onset or duration is missing, it holds no event, a time is no number or a duration below 0, or
        an event stands twice.
    """
    if not path.is_file():
        raise DataError(f"{path}: expected the events of a recording, found none. Add the file, or exclude the run.")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:  # an empty file and bytes that are no text are ValueErrors
        raise DataError(f"{path}: expected a tab-separated table in UTF-8, got {error}. Mend the file.") from error
    missing = {"onset", "duration", "trial_type"} - set(table.columns)
    if missing == {"trial_type"}:
        table["trial_type"], missing = "n/a", set()
    if missing:
        raise DataError(f"{path}: expected columns onset, duration, trial_type; {', '.join(sorted(missing))} missing.")
    for column in ("onset", "duration"):
        table[column] = [_seconds(path, column, cell) for cell in table[column]]
    if table.empty:
        raise DataError(f"{path}: expected at least one event, got a header alone. Add the events, or exclude the run.")
    onset, duration, kind = (table[name].tolist() for name in ("onset", "duration", "trial_type"))
    if min(duration) < 0:
        bad = next(i for i, value in enumerate(duration) if value < 0)
        raise DataError(f"{path}: the event at {onset[bad]:g} s lasts {duration[bad]:g} s. Mend the duration.")
    seen: set[tuple[float, str]] = set()
    for event in zip(onset, kind, strict=True):
        if event in seen:
            raise DataError(f"{path}: the event {event[1]!r} at {event[0]:g} s stands twice. Remove one.")
        seen.add(event)
    if onset == sorted(onset):
        return table
    logger.warning("%s: events are not in order of onset; they are sorted", path)
    return table.sort_values("onset", ignore_index=True, kind="stable")


def _seconds(path: Path, column: str, cell: str) -> float:
    if cell == "n/a" and column == "duration":
        return 0.0
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if math.isnan(number) or "_" in cell:  # float takes 1_000
        raise DataError(f"{path}: expected numbers in {column}, got {cell!r}. Mend the cell.")
    return number


def story_onset(events: pd.DataFrame) -> float:
    """When (s) the story starts: the first event called story, else the first of all."""
    named = events[events["trial_type"] == "story"]
    return float((events if named.empty else named)["onset"].iloc[0])


def events_path(root: Path, recording: str) -> Path:
    """The events that belong to a recording: its own, or the task's beside it or at the top (BIDS inheritance)."""
    own = root / f"{recording}_events.tsv"
    task = re.search(r"_(task-[^_]+)", recording)
    shared = root / f"{task[1]}_events.tsv" if task else own
    return own if own.exists() or not shared.exists() else shared


def _find(root: Path, modality: str) -> list[dict[str, str]]:
    """A row a recording: the echoes of one are one, by the first of them, and phase images are none."""
    folder, pattern = FILES[modality]
    rows: dict[str, dict[str, str]] = {}
    for path in sorted(root.glob(f"sub-*/**/{folder}/sub-*")):
        if pattern.search(path.name) and "_part-phase" not in path.name:
            stem = OF_ONE_RECORDING.sub("", pattern.sub("", path.relative_to(root).as_posix()))
            names = dict(part.split("-", 1) for part in stem.rpartition("/")[2].split("_") if "-" in part)
            rows.setdefault(
                stem,
                {
                    "recording": stem,
                    "modality": modality,
                    "subject": names["sub"],
                    "session": names.get("ses", ""),
                    "task": names.get("task", ""),
                    "acq": names.get("acq", ""),
                    "run": names.get("run", ""),
                    "path": path.relative_to(root).as_posix(),
                    "events": events_path(root, stem).relative_to(root).as_posix(),
                },
            )
    return list(rows.values())


def _check_names(root: Path, table: pd.DataFrame) -> None:
    """Stop at a name that is none of BIDS: it becomes paths of results and words of commands."""
    for name in table["recording"]:
        if not NAME.fullmatch(name):
            raise DataError(
                f"{root}: expected a BIDS name of letters, digits and + in labels joined by - and _, got {name!r}. "
                "Rename the file."
            )


def _choose_tasks(table: pd.DataFrame, tasks: dict[str, dict]) -> pd.DataFrame:
    present = sorted(set(table["task"]))
    for task, options in tasks.items():
        if options["use"] not in USES:
            raise ConfigError(f"tasks: {task}: use must be one of {', '.join(USES)}; got {options['use']!r}.")
        if task not in present:
            close = difflib.get_close_matches(task, present, n=1, cutoff=0)
            raise ConfigError(
                f"tasks: {task} is in no file name of these participants; did you mean {close[0] if close else 'none'}?"
            )
    left_out = [task for task in present if task not in tasks]
    if left_out:
        logger.info("tasks not in the config, left out: %s", ", ".join(left_out))
    kept = table["task"].isin(list(tasks))
    for task, options in tasks.items():
        for entity in ("acq", "session"):
            if options.get(entity) is not None:
                kept &= (table["task"] != task) | (table[entity] == str(options[entity]))
        if options.get("modality") is not None:
            kept &= (table["task"] != task) | (table["modality"] == options["modality"])
        if not (kept & (table["task"] == task)).any():
            asked = ", ".join(f"{key} {options[key]}" for key in ("acq", "session", "modality") if options.get(key))
            raise ConfigError(f"tasks: {task}: no recording has {asked}. Check the labels against the file names.")
    table = table[kept].copy()
    table["use"] = [tasks[task]["use"] for task in table["task"]]
    return table


def _exclusions(table: pd.DataFrame, exclude: list) -> list[tuple[str, str]]:
    pairs = []
    for entry in exclude:
        name, reason = (entry["recording"], entry["reason"]) if isinstance(entry, dict) else (entry, "not said")
        matches = [r for r in table["recording"] if r == name or r.rpartition("/")[2] == name]
        if not matches:
            close = difflib.get_close_matches(name, list(table["recording"]), n=1, cutoff=0)
            raise ConfigError(f"exclude: {name} is no recording; did you mean {close[0] if close else 'none'}?")
        pairs += [(match, reason) for match in matches]
    return pairs


def _examine(root: Path, row: dict[str, str], config: dict) -> dict[str, str]:
    if config.get("fmri", {}).get("series"):
        return row | examine_series(root, row, config)
    header = _header(root, row, config)
    events = read_events(root / row["events"])
    _check_described(root, row["events"], events)
    if row["use"] != "story" and (events["trial_type"] == "n/a").all():
        raise DataError(
            f"{root / row['events']}: expected {row['use']} in the column trial_type, got none there. Columns: "
            f"{', '.join(events.columns)}. Copy the one that tells them to trial_type."
        )
    onset, duration = events["onset"].to_numpy(), events["duration"].to_numpy()
    late = onset[onset + 1e-6 > header.duration_s]
    if len(late):
        raise DataError(
            f"{root / row['events']}: event at {late[0]:g} s starts after the end of the recording "
            f"({header.duration_s:g} s). Mend the onset, or exclude {row['recording']}."
        )
    ends = (onset + duration).max()
    if ends > header.duration_s + 1:
        logger.warning(
            "%s: an event ends at %g s, after the end of the recording (%g s)", row["events"], ends, header.duration_s
        )
    story = _story(root, row, events, config) if row["use"] == "story" else ""
    return row | _facts(header) | {"story": story}


def _check_eeg(eeg: dict) -> None:
    check_eeg_engine(eeg)
    if eeg.get("montage"):
        from brainlm.io.montage import find_montage  # MNE takes a second: only where it is asked for

        find_montage(eeg["montage"])


def _check_described(root: Path, path: str, events: pd.DataFrame) -> None:
    """Hold events against their JSON: another unit than seconds stops, a trial_type outside the levels is told."""
    about = sidecar(root, path)
    for column in ("onset", "duration"):
        unit = _described(about, column).get("Units", "s")
        if str(unit).lower() not in SECONDS:
            raise DataError(f"{root / path}: expected {column} in seconds, as BIDS has it, got {unit!r} from the JSON.")
    levels = _described(about, "trial_type").get("Levels") or {}
    unknown = sorted(set(events["trial_type"]) - set(levels) - {"n/a", ""})
    if levels and unknown:
        logger.warning("%s: trial_type %s is none of the JSON's levels", path, ", ".join(unknown))


def _described(about: dict, column: str) -> dict:
    told = about.get(column)
    return told if isinstance(told, dict) else {}


def _header(root: Path, row: dict[str, str], config: dict) -> Header:
    """Of the raw file, or, where the config enters after another pipeline, of its file: the raw one may be away."""
    fmri = config.get("fmri", {})
    if "_echo-" in row["path"] and not fmri.get("engine", "").startswith("fmriprep"):
        raise DataError(
            f"{root / row['path']}: expected a run of one echo, got several. Let fMRIPrep combine them "
            "(fmri.engine: fmriprep or fmriprep-derivatives), or exclude the run."
        )
    eeg = config.get("eeg", {})
    if row["modality"] == "eeg" and eeg.get("engine") == MNE_PIPELINE:
        folder = Path(eeg["derivatives"])
        path = find_clean(folder, row["recording"], eeg["processing"]).relative_to(folder)
        return read_header(folder, path.as_posix(), "eeg", config)
    if row["modality"] != "fmri" or fmri.get("engine") != "fmriprep-derivatives":
        return read_header(root, row["path"], row["modality"], config)
    folder = Path(fmri["derivatives"])
    series = find_prepared(folder, row["recording"], fmri["space"], fmri["resolution"]).series
    return read_header(folder, series.relative_to(folder).as_posix(), "fmri", config)


def _facts(header: Header) -> dict[str, str]:
    return {
        "t_r": f"{1 / header.sfreq:.9g}",
        "n_samples": str(header.n_samples),
        "duration_s": f"{header.duration_s:.6g}",
    }


def _story_keys(row: dict[str, str]) -> tuple[str, ...]:
    """Names that a recording goes by under ``stories``, the narrowest first."""
    own = row["recording"], row["recording"].rpartition("/")[2]
    return (*own, f"task-{row['task']}_run-{row['run']}", row["task"]) if row["run"] else (*own, row["task"])


def _check_stories(table: pd.DataFrame, stories: dict[str, str]) -> None:
    rows = table[table["use"] == "story"].to_dict("records")
    known = sorted({key for row in rows for key in _story_keys(row)})
    for key in stories:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1, cutoff=0)
            raise ConfigError(
                f"stories: {key} is no recording or task with use: story; did you mean {close[0] if close else 'none'}?"
            )


def _story(root: Path, row: dict[str, str], events: pd.DataFrame, config: dict) -> str:
    named = config.get("stories") or {}
    folder = root / config["stimuli"]["folder"]
    story = next((named[key] for key in _story_keys(row) if key in named), None) or _told(root, row, events, folder)
    if not STORY.fullmatch(story):
        raise DataError(
            f"{row['recording']}: expected a story's name of letters, digits, spaces and ._+-, got {story!r}. "
            "Rename it in the events or under stories."
        )
    find_transcript(folder, story)
    return story


def _told(root: Path, row: dict[str, str], events: pd.DataFrame, folder: Path) -> str:
    """The stimulus that the events name; of several (pictures between stories) the one that has a transcript."""
    files = {f for f in events.get("stim_file", pd.Series(dtype=str)) if f not in ("", "n/a")}
    if len(files) > 1:
        files = {f for f in files if has_transcript(folder, Path(f).stem)}
    if len(files) != 1:
        raise DataError(
            f"{root / row['events']}: expected one stim_file that names the story, got {len(files)}. "
            f"Name it in the config: stories: {{{row['recording']}: NAME}}."
        )
    return Path(files.pop()).stem


def read_dataset_name(root: Path) -> str:
    """The data set's name, from its description."""
    path = root / "dataset_description.json"
    return str(load_json(path).get("Name", root.name)) if path.is_file() else root.name
