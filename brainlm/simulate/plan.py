"""Which recordings a simulated data set will hold, before it is made: a workflow can be planned without it."""

from brainlm.simulate.study import size


def planned_recordings(name: str) -> list[dict[str, str]]:
    """Recording, modality, subject, task and story of every run of the size ``name``, sorted by recording."""
    of = size(name)
    rows = []
    for n in range(1, of.subjects + 1):
        subject = f"{n:02d}"
        for modality, folder, stories in (("fmri", "func", of.stories), ("eeg", "eeg", of.eeg_stories)):
            runs = [("story", f"{k:02d}", f"story{k:02d}") for k in range(1, stories + 1)]
            if modality == "fmri" or stories:
                runs += [("pictures", str(k), "") for k in range(1, of.picture_runs + 1)]
            rows += [
                {
                    "recording": f"sub-{subject}/{folder}/sub-{subject}_task-{task}_run-{run}",
                    "modality": modality,
                    "subject": subject,
                    "task": task,
                    "story": story,
                    "excluded": "",
                }
                for task, run, story in runs
            ]
    return sorted(rows, key=lambda row: row["recording"])
