import nibabel as nib
import numpy as np
import pytest
from nilearn.masking import compute_epi_mask
from scipy.ndimage import label
from sklearn.metrics import roc_auc_score

from brainlm.simulate import answers, brain, fmri
from brainlm.simulate.answers import Strength
from brainlm.simulate.seeds import stream
from brainlm.simulate.stories import language
from brainlm.simulate.study import Size, Study


def _subject(seed, subject="01"):
    study = Study(Size(1, 3, 150, 0, 0, 0, 0, 1000), seed, language("en"), Strength())
    head = brain.draw_head(study.rng("head", subject))
    return study, head, brain.plant(head, study.centres, study.rng("planting", subject))


def _runs(study, subject="01"):
    stimulus = [np.hstack(answers.story_columns(story, study.meanings)) for story in study.stories]
    return [np.hstack([s, fmri.draw_nuisance(len(s), study.rng("n", subject, str(i)))]) for i, s in enumerate(stimulus)]


def _voxels(study, head, planting, runs, strength):
    weights = answers.subject_weights(study.weights, study.rng("weights", "01"))
    tuning = answers.story_tuning(head, planting, weights, study.rng("tuning", "01"))
    scale = fmri.draw_scale(head.mask, study.rng("scale", "01"))
    explained = answers.draw_explained(int(head.mask.sum()), study.rng("explained", "01"))
    return answers.draw_voxels(scale, explained, tuning, runs, answers.amplitudes(head, planting, strength))


@pytest.mark.parametrize("seed", range(4))
def test_planted_share_clusters_and_jitter(seed):
    study, head, first = _subject(seed)
    second = brain.plant(head, study.centres, study.rng("planting", "02"))
    planted = first.planted > 0
    assert 0.04 < planted.sum() / head.mask.sum() < 0.06
    assert 4 <= label(planted, np.ones((3, 3, 3)))[1] <= 6
    assert not (planted & (first.distractors > 0)).any() and not (planted & (first.visual > 0)).any()
    timing = np.isin(first.distractors, (1, 2)).sum()
    assert timing == pytest.approx(planted.sum(), rel=0.05)
    for number in range(1, 6):
        centres = [np.argwhere(p.planted == number).mean(0) for p in (first, second)]
        assert np.linalg.norm(centres[0] - centres[1]) < 4


def test_mask_can_be_found_from_the_mean_image():
    head = brain.draw_head(stream(0, "head"))
    image = nib.Nifti1Image(np.repeat(head.bold[..., None], 3, -1).astype(np.float32), brain.affine())
    found = compute_epi_mask(image).get_fdata() > 0
    assert 2 * (found & head.mask).sum() / (found.sum() + head.mask.sum()) > 0.93


def test_weights_of_two_subjects_correlate_as_promised():
    shared = answers.group_weights(stream(0, "g"))
    one, two = (answers.subject_weights(shared, stream(0, "s", str(n))) for n in (1, 2))
    _, _, planting = _subject(0)
    place = planting.planted > 0
    alike = [np.corrcoef(one[:, x, y, z], two[:, x, y, z])[0, 1] for x, y, z in np.argwhere(place)]
    assert np.mean(alike) == pytest.approx(0.6, abs=0.06)


def test_content_answers_keep_no_word_rate():
    study, _, _ = _subject(0)
    content, rate = answers.story_columns(study.stories[0], study.meanings)
    correlations = np.corrcoef(np.hstack([content, rate]).T)[: content.shape[1], content.shape[1] :]
    assert np.abs(correlations).max() < 1e-6


def test_strength_zero_leaves_noise_and_the_total():
    study, head, planting = _subject(0)
    runs = _runs(study)
    full = _voxels(study, head, planting, runs, Strength())
    none = _voxels(study, head, planting, runs, Strength(0, 0))
    planted = planting.planted[head.mask] > 0
    share = full.explained[planted]
    assert share.min() >= 0.02 and share.max() <= 0.6 and 0.25 < share.mean() < 0.35
    assert np.allclose((np.concatenate(runs) @ full.loadings).std(0)[planted] ** 2, share)
    assert not none.explained.any() and not none.loadings.any()
    assert np.array_equal(full.scale, none.scale)


@pytest.mark.parametrize("seed", range(3))
def test_simple_maps_do_not_show_the_planted_voxels(seed):
    study, head, planting = _subject(seed)
    runs = _runs(study)
    voxels = _voxels(study, head, planting, runs, Strength())
    planted = planting.planted[head.mask] > 0
    variance, tsnr, rate = [], [], []
    for story, run in zip(study.stories, runs, strict=True):
        n = answers.n_volumes(story)
        series = fmri.draw_run(head, voxels, run, n, np.zeros((n, 6)), stream(seed, story.name))[head.mask].T
        variance.append(series.var(0))
        tsnr.append(series.mean(0) / series.std(0))
        word_rate = run[np.round(np.arange(n) * fmri.TR / fmri.STEP_S).astype(int), 16]
        rate.append(np.abs(np.corrcoef(word_rate, series.T)[0, 1:]))
    for name, maps in {"variance": variance, "tsnr": tsnr, "rate": rate}.items():
        assert roc_auc_score(planted, np.mean(maps, axis=0)) < 0.70, name


def test_rigid_moves_the_centre_by_the_translation():
    centre = (brain.affine() @ [*((np.array(brain.SHAPE) - 1) / 2), 1])[:3]
    matrix = fmri.rigid(np.array([1.0, -2.0, 0.5, 0.1, -0.2, 0.3]))
    assert np.allclose((matrix @ [*centre, 1])[:3], centre + [1, -2, 0.5])
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3))


def test_a_slice_answers_at_its_own_time():
    head = brain.draw_head(stream(0, "head"))
    n_voxels = int(head.mask.sum())
    t = np.arange(0, 60, fmri.STEP_S)
    ramp = np.stack([t], 1)
    voxels = fmri.Voxels(np.full(n_voxels, 1e-3), np.zeros(n_voxels), np.ones((1, n_voxels)))
    still = fmri.draw_run(head, voxels, ramp, 25, np.zeros((25, 6)), stream(0, "r"))[head.mask]
    growth = still / head.bold[head.mask][:, None] - 1
    at = np.nonzero(head.mask)[2]
    means = np.array([growth[at == z].mean() for z in np.unique(at)])
    assert np.corrcoef(means, fmri.slice_times()[np.unique(at)])[0, 1] > 0.8
