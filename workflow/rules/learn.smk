# The same networks by every learning rule.
NETWORK = f"{RESULTS}/{NETWORK}"


rule train_network:
    input:
        index=ancient(INDEX),
    output:
        multiext(
            f"{NETWORK}/",
            "network.safetensors",
            "network.json",
            "curve.tsv",
            "search.tsv",
            "angles.tsv",
            "activity.npz",
            "matched.npz",
            "matched.safetensors",
            "row.tsv",
            "timing.tsv",
        ),
    log:
        f"{RESULTS}/logs/train_network/{{network}}_{{learning_rule}}_{{protocol}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_network/{{network}}_{{learning_rule}}_{{protocol}}_{{seed}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        gpu=GPU,
        mem_mb=grow(2000),
        runtime=grow(120),
    params:
        settings=lambda wildcards: plan.lesson(
            wildcards.network, wildcards.learning_rule, wildcards.protocol
        ),
        root=ROOT,
        folder=lambda wildcards, output: os.path.dirname(output[0]),
        device=config["device"],
        code=lambda wildcards: stamp(
            config, "train_network", f"brainlm.learning.{wildcards.learning_rule}"
        ),
    shell:
        RUN
        + " train_network --network {wildcards.network} --learning-rule {wildcards.learning_rule} "
        "--protocol {wildcards.protocol} --seed {wildcards.seed} --settings {params.settings:q} --bids-root {params.root:q} --device {params.device} "
        "--out {params.folder:q} 2> {log:q}"


rule learn:
    input:
        plan.networks(NETWORK, "row.tsv"),
