"""Linear classifiers of labelled volumes, pooled over blocks: what a selector has to face, and confounds alone."""

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from brainlm.decoding.labels import LabelledVolumes, pool_blocks

ANOVA_VOXELS = 200


def label_baselines(
    training: LabelledVolumes, test: LabelledVolumes, anova_voxels: int = ANOVA_VOXELS
) -> dict[str, Float[np.ndarray, "blocks labels"]]:
    """Score of each label for each test block, by baseline; everything is fitted on ``training``.

    The columns follow the sorted label numbers of the training set.
    """
    k = min(anova_voxels, training.series.shape[1])
    models = {
        "nearest_centroid": NearestCentroid(),
        "logistic": LogisticRegression(max_iter=500),
        "svm": LinearSVC(),
        "anova_logistic": make_pipeline(SelectKBest(f_classif, k=k), LogisticRegression(max_iter=500)),
    }
    return {name: _fit_and_score(model, training, test) for name, model in models.items()}


def confound_scores(confounds: LabelledVolumes, test: LabelledVolumes) -> Float[np.ndarray, "blocks labels"]:
    """Score of each label for each test block from volumes' confounds alone, by logistic regression."""
    return _fit_and_score(LogisticRegression(max_iter=500), confounds, test)


def _fit_and_score(
    model: BaseEstimator, training: LabelledVolumes, test: LabelledVolumes
) -> Float[np.ndarray, "blocks labels"]:
    model.fit(training.series, training.label)
    return pool_blocks(_scores(model, test.series), test.block)


def _scores(model: object, series: Float[np.ndarray, "volumes voxels"]) -> Float[np.ndarray, "volumes labels"]:
    if hasattr(model, "predict_log_proba"):
        return model.predict_log_proba(series)
    scores = model.decision_function(series)
    return scores if scores.ndim == 2 else np.column_stack([-scores, scores])
