# The config checked, the run table written, and names that all rules share.
import os
import sys


from brainlm.config import SCHEMA, as_json, fill_config, leave_out, pick
from brainlm.decoding.split import ADAPTED_BY, PROTOCOLS
from brainlm.errors import BrainlmError
from brainlm.io.lock import lead
from brainlm.resources import grow
from brainlm.workflow import (
    BRAIN,
    FUSION,
    GROUP_SEARCHLIGHT,
    NETWORK,
    RECORDING,
    RESPONSES,
    SCORES,
    SEARCHLIGHT,
    UNIT,
    Plan,
    stamp,
)

try:
    config = fill_config(config, SCHEMA)
    plan = Plan.of(
        config,
        main=workflow.is_main_process,
        dry_run=workflow.output_settings.dryrun,
    )
except BrainlmError as error:
    sys.exit(f"brainlm: {error}")

CONTAINERS = {"apptainer", "singularity"} & {
    str(method) for method in workflow.deployment_settings.deployment_method
}
if config["container"] and not CONTAINERS:
    sys.exit(
        f"brainlm: container: expected --software-deployment-method apptainer beside {config['container']}, got none. "
        "Add it, or leave container out."
    )

lead()
RESULTS = config["results_dir"]
ROOT = config["bids_root"]
INDEX = f"{RESULTS}/index.tsv"
DERIVATIVES = f"{RESULTS}/derivatives"
GPU = int(config["device"] == "cuda")  # what rules that train or decode ask for
RUN = "OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} python -m brainlm"


wildcard_constraints:
    recording=RECORDING,
    subject="[A-Za-z0-9]+",
    modality="fmri|eeg",
    around="trials|words|characters",
    protocol="|".join((*PROTOCOLS, ADAPTED_BY, "matched", "tuned")),
    fold=r"\d+",
    seed=r"\d+",
    network="[a-z_]+",
    learning_rule="[a-z_]+",


if plan.must_simulate:

    rule simulate:
        output:
            description=f"{ROOT}/dataset_description.json",
            index=INDEX,
        log:
            f"{RESULTS}/logs/simulate.log",
        benchmark:
            f"{RESULTS}/benchmarks/simulate.tsv"
        conda:
            "../../environment.yml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            root=lambda wildcards: ROOT,
            options=plan.simulate_options(),
            config=lambda wildcards: as_json(config),
            code=stamp(config, "simulate"),
        shell:
            "rm -f {output.description:q} && (rmdir {params.root:q} 2>/dev/null || true) && "
            + RUN
            + " simulate --out {params.root:q} {params.options} 2> {log:q} && "
            + RUN
            + " index --config {params.config:q} --out {output.index:q} 2>> {log:q}"
