# Entry: `snakemake` from here runs everything in workflow/.
include: "workflow/Snakefile"


rule all:
    default_target: True
    input:
        rules.reports.input,
        rules.tables.output,
