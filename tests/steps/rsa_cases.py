"""Settings of RSA that are quick to compute."""

QUICK = {
    "measure": "crossnobis",
    "network_measure": "correlation",
    "comparison": "spearman",
    "n_permutations": 200,
    "n_bootstraps": 60,
    "layer_folds": 2,
    "correction": "max_statistic",
    "models": {},
}
