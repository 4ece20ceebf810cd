# fMRIPrep in its container, a job a subject; its output then enters as if it had been there.
import shlex
import shutil

if not CONTAINERS and shutil.which("fmriprep") is None:
    sys.exit(
        "brainlm: fmri.engine: fmriprep needs its container (add --software-deployment-method apptainer) or the "
        "program fmriprep; got neither. Or use fmri.engine: brainlm."
    )


rule fmriprep:
    input:
        lambda wildcards: plan.fmriprep_inputs(wildcards.subject),
        licence=config["fmri"]["fmriprep"]["license"],
    output:
        page=f"{DERIVATIVES}/fmriprep/sub-{{subject}}.html",
    log:
        f"{RESULTS}/logs/fmriprep/sub-{{subject}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fmriprep/sub-{{subject}}.tsv"
    container:
        f"docker://nipreps/fmriprep:{config['fmri']['fmriprep']['version']}"
    threads: 8
    resources:
        mem_mb=grow(16000),
        runtime=grow(720),
    params:
        root=ROOT,
        out=f"{DERIVATIVES}/fmriprep",
        space=plan.fmriprep_space(),
        options=shlex.split(config["fmri"]["fmriprep"]["options"]),
    shell:
        "fmriprep {params.root:q} {params.out:q} participant --participant-label {wildcards.subject} "
        "--output-spaces {params.space:q} --fs-license-file {input.licence:q} --nthreads {threads} "
        "--mem-mb {resources.mem_mb} --work-dir {resources.tmpdir:q}/fmriprep-{wildcards.subject} --notrack "
        "{params.options:q} > {log:q} 2>&1"
