# Tables over everything, one page a subject and one for the group.
TABLES = ("selector", "decoding", "learning", "rsa", "quality", "timing")


rule tables:
    input:
        rules.preprocess.input,
        rules.decode.input,
        rules.cross_subject.input,
        rules.learn.input,
        rules.rsa.input,
        index=INDEX,
    output:
        expand(f"{RESULTS}/tables/{{table}}.tsv", table=TABLES),
    log:
        f"{RESULTS}/logs/tables.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=stamp(config, "tables"),
    shell:
        RUN
        + " tables --results {RESULTS} --index {input.index} --out {RESULTS}/tables 2> {log}"


rule report_subject:
    input:
        rules.tables.output,
    output:
        f"{RESULTS}/reports/sub-{{subject}}.html",
    log:
        f"{RESULTS}/logs/report/sub-{{subject}}.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=stamp(config, "report_subject"),
    shell:
        RUN
        + " report_subject --results {RESULTS} --subject {wildcards.subject} --out {output} 2> {log}"


rule report_group:
    input:
        rules.tables.output,
    output:
        f"{RESULTS}/reports/group.html",
    log:
        f"{RESULTS}/logs/report/group.log",
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=stamp(config, "report_group"),
    shell:
        RUN + " report_group --results {RESULTS} --out {output} 2> {log}"


rule reports:
    input:
        expand(f"{RESULTS}/reports/sub-{{subject}}.html", subject=plan.subjects()),
        rules.report_group.output,


rule check:
    input:
        INDEX,
