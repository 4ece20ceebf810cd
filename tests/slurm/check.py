"""The tiny study's stories of one subject on a real Slurm: who asked for a GPU, and what becomes of failing jobs.

Run by ``make test-slurm``; two to four minutes on two cores. Not a pytest: it starts daemons as root.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from local_slurm import SITE, jobs, local_slurm  # noqa: E402

GPU_RULES = ("train_language_model",)
CPU_RULES = ("preprocess_fmri", "stimuli", "tables", "report_group", "pages")


def write_config(folder: Path) -> Path:
    """A story of one subject in fMRI and the language model: few jobs that wait for each other."""
    config = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text())
    config |= {"bids_root": str(folder / "bids"), "results_dir": str(folder / "results"), "participants": ["01"]}
    config |= {"tasks": {"story": {"use": "story", "modality": "fmri"}}, "learning": {"learning_rules": {}}}
    config["exclude"] = [{"recording": f"sub-01_task-story_run-{run}", "reason": "time"} for run in ("02", "03")]
    config["evaluation"] |= {"protocols": {}}
    config["decoder"] |= {"updates": 20}
    path = folder / "one.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def snakemake(*options: str, limit: int) -> None:
    """Snakemake from the root of the project; its end, or the limit, is waited for."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["timeout", "-k", "10", str(limit), sys.executable, "-m", "snakemake", *options]
    code = subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}).returncode
    if code:
        sys.exit(f"snakemake {' '.join(options)}: exit {code}{f' after {limit} s' if code == 124 else ''}.")


def check_requests(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """What each rule asked for; stop where a CPU rule has a GPU, a GPU rule has none, or a job did not complete."""
    asked = {
        job["Comment"].removeprefix("rule_"): job.get("TresPerJob", job.get("TresPerNode", ""))
        for job in found.values()
    }
    for rule in GPU_RULES:
        own = [tres for comment, tres in asked.items() if comment.startswith(rule)]
        assert own and all("gpu:1" in tres for tres in own), f"{rule} asked for {own}, expected one GPU: {asked}"
    for rule in CPU_RULES:
        own = [tres for comment, tres in asked.items() if comment.startswith(rule)]
        assert own and not any("gpu" in tres for tres in own), f"{rule} asked for {own}, expected no GPU: {asked}"
    ended = {job["Comment"]: job["JobState"] for job in found.values()}
    assert set(ended.values()) == {"COMPLETED"}, f"expected jobs that completed, got {ended}"
    return asked


def main() -> None:
    """Start, run, look, stop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = ["--configfile", str(write_config(folder))]
        with local_slurm(folder / "slurm"):
            snakemake("--cores", "2", str(folder / "results" / "index.tsv"), *config, limit=60)
            # the tiny study trains on CPUs (device: cpu), yet asks for the GPUs that it would use
            gpus = ["--set-resources", *(f"{rule}:gpu=1" for rule in GPU_RULES)]
            targets = [
                "all",
                str(folder / "results" / "language_model" / "model.json"),
                str(folder / "results" / "stimuli" / "done"),
            ]
            snakemake(*targets, "--workflow-profile", "profiles/slurm", *SITE, *gpus, *config, limit=240)
            print(json.dumps(check_requests(jobs()), indent=1))
    print("Slurm: every job completed; rules that train asked for a GPU, the others did not.")


if __name__ == "__main__":
    main()
