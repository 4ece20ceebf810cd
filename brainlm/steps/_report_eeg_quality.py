"""Sections on the quality of EEG: what was rejected and why, spectra, components, evoked answers, epochs left out."""

from pathlib import Path

import mne
import numpy as np
import pandas as pd

from brainlm.figures.eeg import draw_components, draw_evoked, draw_spectra
from brainlm.io.eeg import load_clean, load_epochs
from brainlm.io.reports import load_named_arrays
from brainlm.io.store import load_json, load_table
from brainlm.preprocess.eeg_components import LABELS
from brainlm.preprocess.eeg_steps import sensor_places
from brainlm.report.page import Section
from brainlm.workflow import RESPONSES

SHOWN_HZ = 80.0
N_PEAKS = 4
ALPHA = 0.05
AROUND = ("trials", "words", "characters")
MOST_CONDITIONS = 4  # that have a figure each
APART_S = 0.06  # between two heads of the evoked answer


def eeg_quality_sections(results: Path, subject: str) -> list[Section]:
    """Nothing where the subject has no cleaned EEG; else tables over all recordings and figures of some.

    Drawn are the first recording of each task and those with the most bad channels.
    """
    folder = results / "derivatives" / "brainlm-eeg"
    stems = sorted(
        path.with_name(path.name.removesuffix("_desc-rejected.tsv"))
        for path in folder.glob(f"sub-{subject}/**/*_desc-rejected.tsv")
    )
    if not stems:
        return []
    tables = [load_table(named(stem, "rejected.tsv")).assign(recording=stem.name) for stem in stems]
    sections = [_rejected(tables)]
    sections += [_recording(stem) for stem in _drawn(stems, tables)]
    sections += [section for around in AROUND for section in _epochs(folder, subject, around)]
    return [*sections, *_evoked(results, subject), *_words(results, subject)]


def named(stem: Path, ending: str) -> Path:
    """A file that preprocess_eeg wrote for a recording."""
    return stem.with_name(f"{stem.name}_desc-{ending}")


def _rejected(tables: list[pd.DataFrame]) -> Section:
    section = Section("EEG: what was rejected, and why", level=3)
    whole = pd.concat(tables, ignore_index=True)[["recording", "kind", "name", "reason", "value", "done"]]
    if whole.empty:
        section.add_text(f"Nothing was rejected in {_counted(len(tables), 'recording')}.")
        return section
    channels, components = (whole[whole["kind"] == kind] for kind in ("channel", "component"))
    section.add_text(
        f"{_counted(len(tables), 'recording')}: {_counted(len(channels), 'bad channel')} (filled from the neighbours "
        f"where these have a place) and {_counted(len(components), 'component')} taken out."
    )
    section.add_table(whole, "Bad channels and components", "eeg-rejected")
    return section


def _drawn(stems: list[Path], tables: list[pd.DataFrame]) -> list[Path]:
    tasks = pd.Series([stem.name.split("_task-")[-1].split("_")[0] for stem in stems])
    first = tasks.drop_duplicates().index.tolist()
    counts = [int((table["kind"] == "channel").sum()) for table in tables]
    worst = int(np.argmax(counts))
    more = [worst] if counts[worst] > max(counts[i] for i in first) else []
    return [stems[i] for i in [*first, *more]]


def _recording(stem: Path) -> Section:
    section = Section(f"EEG: {stem.name}", level=3, folded=True)
    stored = load_named_arrays(named(stem, "figures.npz"))
    quality = load_json(named(stem, "quality.json"))
    section.add_text(
        f"Reference: {quality.get('reference', 'not told')}. Bad channels: {quality['bad_channel_names']}."
    )
    spectra, numbers = {}, []
    for name, title in (("before", "as recorded"), ("after", "cleaned")):
        frequency, power = stored[f"frequency_{name}"], stored[f"power_{name}"]
        inside = (frequency > 0) & (frequency <= SHOWN_HZ)
        spectra[title] = (frequency[inside], power[:, inside])
        numbers.append(
            pd.DataFrame(
                {"recording": title, "hz": frequency[inside], "median_power": np.median(power[:, inside], axis=0)}
            )
        )
    alt = "Power of every channel over frequency, as recorded and cleaned"
    section.add_picture(
        draw_spectra(spectra), f"spectra-{stem.name}", alt, f"{alt}; blue: the median.", pd.concat(numbers)
    )
    _add_components(section, stem, stored)
    return section


def _add_components(section: Section, stem: Path, stored: dict[str, np.ndarray]) -> None:
    if "component_maps" not in stored:
        section.add_text("No components were looked for, or nothing could tell which of them are no brain.")
        return
    names = [str(name) for name in stored["component_channels"]]
    probabilities, removed = stored["component_probabilities"], stored["component_removed"]
    labels = [str(label) for label in stored["component_labels"]]
    by = "ICLabel" if str(stored["component_by"]) == "iclabel" else "their correlation with the eyes"
    table = pd.DataFrame(probabilities, columns=list(LABELS)).assign(label=labels, removed=removed)
    table.insert(0, "component", [f"ICA{i:03d}" for i in range(len(labels))])
    places = sensor_places(load_clean(named(stem, "preproc_eeg.fif"), preload=False), names)
    if places is None:
        section.add_text("Channels have no places, so that components have no maps.")
        section.add_table(table, f"Components, labelled by {by}", f"components-{stem.name}")
        return
    titles = [
        f"{i}: {label} {p:.2f}" for i, (label, p) in enumerate(zip(labels, probabilities.max(axis=1), strict=True))
    ]
    alt = f"Maps of {len(labels)} independent components, labelled by {by}"
    figure = draw_components(stored["component_maps"], titles, removed.tolist(), places)
    section.add_picture(figure, f"components-{stem.name}", alt, f"{alt}; red: taken out.", table)


def _epochs(folder: Path, subject: str, around: str) -> list[Section]:
    """Means over all epochs at the sensors that all recordings share, and what was left out; one file at a time."""
    paths = sorted(folder.glob(f"sub-{subject}/**/*_desc-{around}_epo.fif"))
    if not paths:
        return []
    means: dict[str, list[mne.Evoked]] = {}
    log = []
    for path in paths:
        epochs = load_epochs(path)
        for name in epochs.event_id:
            means.setdefault(name, []).append(epochs[name].average(picks="eeg"))
        reasons = load_table(path.with_name(path.name.replace("_epo.fif", "_dropped.tsv")))["reason"].value_counts()
        stem = path.name.partition("_desc-")[0]
        log += [(stem, len(epochs), reason, n) for reason, n in reasons.items()] or [(stem, len(epochs), "none", 0)]
    section = Section(f"EEG: epochs around {around}", level=3)
    kept = sum(mean.nave for found in means.values() for mean in found)
    section.add_text(f"{kept} epochs of {_counted(len(paths), 'recording')}; {sum(row[3] for row in log)} left out.")
    if len(means) > MOST_CONDITIONS:
        means = {around: [mean for found in means.values() for mean in found]}
    for name, found in means.items():
        mean, times, names = _together(found)
        places = sensor_places(found[0], names)
        what = f"{around}: {name}" if around == "trials" and name != around else around
        _draw_mean(section, f"{around}-{name}-{subject}", mean, times, names, places, what)
    section.add_table(
        pd.DataFrame(log, columns=["recording", "kept", "left out because", "epochs"]),
        "Epochs left out, and why",
        f"drop-log-{around}",
    )
    return [section]


def _together(found: list[mne.Evoked]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mean (uV) over recordings, each by its number of epochs; times; the channels that all have."""
    names = [name for name in found[0].ch_names if all(name in mean.ch_names for mean in found)]
    data = [mean.get_data(picks=names) * 1e6 for mean in found]
    return np.average(data, axis=0, weights=[mean.nave for mean in found]), found[0].times, names


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _draw_mean(section, name: str, mean: np.ndarray, times: np.ndarray, names: list[str], places, what: str) -> None:
    if places is None:
        section.add_text("Channels have no places, so that no heads are drawn.")
        return
    alt = f"Mean answer of every sensor to the {what}, with heads where it is largest"
    numbers = pd.DataFrame(mean.T, columns=names).assign(time_s=times)
    section.add_picture(
        draw_evoked(times, mean, names, _peaks(times, mean), places), f"evoked-{name}", alt, f"{alt}.", numbers
    )


def _evoked(results: Path, subject: str) -> list[Section]:
    about_path = results / "patterns" / f"sub-{subject}_modality-eeg_patterns.json"
    if not about_path.exists():
        return []
    about = load_json(about_path)
    section = Section("EEG: answers to events", level=3)
    values = load_named_arrays(about_path.with_suffix(".npz"))["values"]
    mean, times = values.mean(axis=(0, 1)), np.array(about["times"])
    names = about["electrodes"]
    stem = results / "derivatives" / "brainlm-eeg" / about["runs"][0]
    places = sensor_places(load_clean(named(stem, "preproc_eeg.fif"), preload=False), names)
    section.add_text(
        f"Mean over {values.shape[1]} conditions and {values.shape[0]} runs; {sum(about['epochs'].values())} events."
    )
    _draw_mean(section, subject, mean, times, names, places, "events")
    dropped = pd.DataFrame(about["epochs_left_out"])
    if dropped.empty:
        section.add_text("No epoch was left out.")
    else:
        section.add_table(dropped, "Epochs left out, and why", "epochs-left-out")
    return [section]


def _words(results: Path, subject: str) -> list[Section]:
    path = results / f"{RESPONSES.format(subject=subject)}.npz"
    if not path.exists():
        return []
    stored = load_named_arrays(path)
    names = [str(name) for name in stored["electrodes"]]
    stem = next((results / "derivatives" / "brainlm-eeg").glob(f"sub-{subject}/**/*_desc-preproc_eeg.fif"))
    places = sensor_places(load_clean(stem, preload=False), names)
    section = Section("EEG: responses to words in stories", level=3)
    best = int(stored["score"].argmax())
    score, stories = stored["score"], len(stored["stories"])
    section.add_text(
        f"Ridge over latencies on {stories} stories, a third left out at a time: words and their surprisal predict "
        f"{names[best]} with r = {score[best]:.3f} (median channel {np.median(score):.3f})."
    )
    mean = stored["contrasts"].mean(axis=0)
    drawn = [
        (stored["weights"][:, 0], stored["latencies"], "onset", "Response function to the onset of words"),
        (stored["weights"][:, 1], stored["latencies"], "surprisal", "Response function to the surprisal of words"),
        (mean, stored["times"], "contrast", "Words of high surprisal less words of low surprisal"),
    ]
    for values, times, name, alt in drawn if places is not None else ():
        numbers = pd.DataFrame(values.T, columns=names).assign(time_s=times)
        figure = draw_evoked(times, values, names, _peaks(times, values), places)
        section.add_picture(figure, f"words-{name}-{subject}", alt, f"{alt}.", numbers)
    clusters = load_table(path.with_name(path.name.replace("_responses.npz", "_clusters.tsv")))
    if clusters.empty:
        section.add_text("The contrast has no cluster.")
        return [section]
    found = int((clusters["p"] < ALPHA).sum())
    section.add_text(
        f"{found} of {len(clusters)} clusters of the contrast have p below {ALPHA} over stories (Maris & Oostenveld "
        "2007)."
    )
    section.add_table(clusters.head(10), "The ten clusters of the smallest p", f"clusters-{subject}")
    return [section]


def _peaks(times: np.ndarray, mean: np.ndarray) -> list[float]:
    """Times after the event at which the field is largest, apart from each other, in order."""
    field = np.where(times > 0, mean.std(axis=0), 0.0)
    chosen: list[float] = []
    for i in np.argsort(-field):
        if all(abs(times[i] - other) >= APART_S for other in chosen):
            chosen.append(float(times[i]))
        if len(chosen) == N_PEAKS:
            break
    return sorted(chosen)
