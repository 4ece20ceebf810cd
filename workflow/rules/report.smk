# Tables over everything, one page a subject and one for the group.
TABLES = (
    *(
        "selector",
        "decoding",
        "learning",
        "rsa",
        "rsa_rules",
        "rsa_fusion",
        "rsa_searchlight",
    ),
    *("quality", "timing"),
)


rule tables:
    input:
        rules.preprocess.input,
        rules.decode.input,
        rules.cross_subject.input,
        rules.learn.input,
        rules.rsa.input,
        index=INDEX,
    output:
        [
            report(
                f"{RESULTS}/tables/{table}.tsv",
                caption="../report/table.rst",
                category="Tables",
                labels={"table": table},
            )
            for table in TABLES
        ],
        config=f"{RESULTS}/config.json",
    log:
        f"{RESULTS}/logs/tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=lambda wildcards: RESULTS,
        out=lambda wildcards: f"{RESULTS}/tables",
        settings=lambda wildcards: as_json(config),
        code=stamp(config, "tables"),
    shell:
        RUN
        + " tables --results {params.results:q} --index {input.index:q} --out {params.out:q} "
        "--settings {params.settings:q} 2> {log:q}"


rule report_subject:
    input:
        rules.tables.output,
    output:
        page=report(
            f"{RESULTS}/reports/sub-{{subject}}.html",
            caption="../report/subject.rst",
            category="Reports",
            labels={"page": "sub-{subject}"},
        ),
    log:
        f"{RESULTS}/logs/report/sub-{{subject}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/report_subject/sub-{{subject}}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=5,
        page=1,
    params:
        results=lambda wildcards: RESULTS,
        code=stamp(config, "report_subject"),
    shell:
        RUN
        + " report_subject --results {params.results:q} --subject {wildcards.subject} --out {output.page:q} 2> {log:q}"


rule report_group:
    input:
        rules.tables.output,
    output:
        page=report(
            f"{RESULTS}/reports/group.html",
            caption="../report/group.rst",
            category="Reports",
            labels={"page": "all subjects"},
        ),
    log:
        f"{RESULTS}/logs/report/group.log",
    benchmark:
        f"{RESULTS}/benchmarks/report_group.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        results=lambda wildcards: RESULTS,
        code=stamp(config, "report_group"),
    shell:
        RUN
        + " report_group --results {params.results:q} --out {output.page:q} 2> {log:q}"


rule reports:
    input:
        expand(f"{RESULTS}/reports/sub-{{subject}}.html", subject=plan.subjects()),
        rules.report_group.output,


rule check:
    input:
        INDEX,
