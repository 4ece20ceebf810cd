from dataclasses import replace

import matplotlib.colors as colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from brainlm.figures import brain, decoding, learning, quality, quality_run, similarity
from brainlm.figures.style import COLOURS, bar_styles, series_styles

RANDOM = np.random.default_rng(0)


def drawn(figure: Figure, gid: str) -> list:
    return [artist for artist in figure.findobj() if artist.get_gid() == gid]


def intervals(values: list[float]) -> pd.DataFrame:
    table = pd.DataFrame({"value": values})
    return table.assign(ci_low=table["value"] - 0.1, ci_high=table["value"] + 0.1, null=0.5)


def test_ranks_are_drawn_where_they_are():
    rows = intervals([0.9, 0.6]).assign(label=["brain", "rate"], own=[True, False])
    figure = decoding.draw_ranks(rows, 0.5)
    (values,), (nulls,) = drawn(figure, "value"), drawn(figure, "null")
    np.testing.assert_allclose(values.get_offsets(), [[0.9, 1], [0.6, 0]])
    np.testing.assert_allclose(nulls.get_offsets()[:, 0], 0.5)


def test_controls_are_sorted_and_references_hollow():
    rows = intervals([0.2, 0.5, 0.3]).assign(decoder=["brainlm", "upper_bound", "lm_only"])
    figure = decoding.draw_controls(rows, ["upper_bound"], "accuracy")
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["brainlm", "lm only", "upper bound"]
    assert drawn(figure, "upper_bound")[0].get_facecolor().size == 0
    assert drawn(figure, "brainlm")[0].get_offsets()[0][0] == pytest.approx(0.2)


def test_identification_shows_the_ranks_and_the_borders_of_stories():
    ranks = RANDOM.random((4, 4))
    figure = decoding.draw_identification(ranks, ["a", "a", "b", "b"])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), ranks)
    assert [line.get_ydata()[0] for line in figure.axes[0].lines][:1] == [1.5]


def test_confusion_writes_every_count():
    counts = pd.DataFrame([[3, 1], [0, 2]], index=["cat", "face"], columns=["cat", "face"])
    texts = sorted(text.get_text() for text in decoding.draw_confusion(counts).axes[0].texts)
    assert texts == ["1", "2", "3"]


def test_the_course_has_a_panel_a_story():
    windows = pd.DataFrame({"story": ["a", "a", "b"], "onset": [0, 10, 0], "rank": [0.9, 0.2, 0.6]})
    figure = decoding.draw_rank_course(windows)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["a", "b"]


def test_the_chosen_number_of_voxels_is_the_best():
    choices = pd.DataFrame({"voxels": [10, 10, 99], "penalty": [1, 2, 1], "score": [0.4, 0.8, 0.6], "head": "content"})
    (chosen,) = drawn(decoding.draw_choices(choices), "chosen")
    np.testing.assert_allclose(chosen.get_offsets(), [[10, 0.8]])


def test_history_draws_every_term():
    history = pd.DataFrame({"update": [1, 2], "loss": [3.0, 2], "rate": [1.0, 0.5], "seconds": [1, 2]})
    lines = [axis.lines[0].get_ydata().tolist() for axis in decoding.draw_history(history).axes if axis.lines]
    assert lines == [[3, 2], [1, 0.5]]


def test_subjects_are_lines_and_metrics_panels():
    rows = pd.concat(
        [intervals([0.1, 0.2]).assign(metric=m, label=["sub-01", "sub-02"]) for m in ("gain", "text_rank")]
    )
    figure = decoding.draw_subjects(rows, ["gain", "text_rank"], 0.5)
    assert len(figure.axes) == 2
    np.testing.assert_allclose(figure.axes[0].collections[-1].get_offsets(), [[0.1, 1], [0.2, 0]])


def test_adaptation_is_a_line_a_subject_in_order_of_minutes():
    rows = intervals([0.3, 0.1, 0.2]).assign(metric="gain", label="sub-01", minutes_own=[15.0, 0, 5])
    (axis,) = decoding.draw_adaptation(rows, ["gain"], 0.5).axes
    line = axis.lines[-1]
    np.testing.assert_allclose(line.get_xydata(), [[0, 0.1], [5, 0.2], [15, 0.3]])


def rsa_rows(times: list[float]) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([["region"], times, ["backprop", "untrained"], ["layer1", "layer2"]])
    table = rows.to_frame(index=False, name=["region", "time_s", "learning_rule", "layer"])
    table = table.assign(network="mlp", model="network", ceiling_lower=0.4, ceiling_upper=0.6, ceiling_null=0.2)
    table = table.assign(p_corrected=0.5, seed=0)
    table["value"] = np.linspace(0.1, 0.3, len(table))
    return table.assign(ci_low=table["value"] - 0.1, ci_high=table["value"] + 0.1)


def test_regions_show_every_layer_and_the_ceiling():
    rows = rsa_rows([np.nan])
    plain = rows.head(1).assign(network=None, learning_rule=None, layer=None, model="pixels", value=0.05)
    figure = similarity.draw_regions(pd.concat([rows.assign(p_corrected=[0.01, 0.5, 0.5, 0.5]), plain]))
    bars = {group.get_label(): [bar.get_height() for bar in group] for group in figure.axes[0].containers}
    np.testing.assert_allclose(bars["backprop"], rows.loc[rows["learning_rule"] == "backprop", "value"])
    assert bars["other models"] == [0.05]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["layer1", "layer2", "pixels"]
    (band,), (null,) = drawn(figure, "ceiling"), drawn(figure, "ceiling-null")
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.4, 0.6))
    assert null.get_ydata()[0] == 0.2
    (star,) = [text for text in figure.axes[0].texts if text.get_text() == "*"]
    assert star.xy[1] == pytest.approx(rows["ci_high"].iloc[0])


def test_without_a_ceiling_no_band_is_drawn():
    rows = rsa_rows([np.nan]).assign(ceiling_lower=np.nan, ceiling_upper=np.nan)
    assert not drawn(similarity.draw_regions(rows), "ceiling")


def test_the_time_course_shades_its_stretches_and_tells_their_p():
    rows = rsa_rows([0.1, 0.2, 0.3])
    told = {"series": "backprop", "layer": "layer1", "start_s": 0.2, "end_s": 0.3, "p": 0.01}
    figure = similarity.draw_timecourse(rows, pd.DataFrame([told]))
    (bar,) = drawn(figure, "stretch")
    np.testing.assert_allclose(bar.get_xdata(), [0.15, 0.35])
    (shade,) = drawn(figure, "shade")
    assert shade.get_paths()[0].vertices[:, 0].min() == pytest.approx(0.2)
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes] == [["p = 0.01"], []]
    assert len(drawn(figure, "interval")) == 4 and len(drawn(figure, "ceiling")) == 2
    assert not drawn(similarity.draw_timecourse(rows, pd.DataFrame([told])[:0]), "stretch")


def test_shared_variance_stays_below_what_the_region_explains_and_rules_look_as_elsewhere():
    rows = rsa_rows([0.1, 0.2, 0.3])
    rows = rows[rows["layer"] == "layer1"].assign(limit=0.5, series=lambda table: table["learning_rule"])
    plain = rows[rows["learning_rule"] == "backprop"].assign(learning_rule=None, series="category")
    told = {"series": "backprop", "region": "region", "start_s": 0.1, "end_s": 0.1, "p": 0.04}
    figure = similarity.draw_fusion(pd.concat([rows, plain]), pd.DataFrame([told]))
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["backprop"].get_color() == COLOURS[0] and lines["untrained"].get_marker() == "x"
    np.testing.assert_allclose(lines["category"].get_ydata(), plain["value"])
    (limit,) = drawn(figure, "limit")
    assert limit.get_paths()[0].vertices[:, 1].max() == 0.5
    assert [text.get_text() for text in figure.axes[0].texts] == ["p = 0.04"]


def test_a_map_puts_layers_of_a_rule_in_order_and_names_the_brain():
    points = pd.DataFrame({"x": [0.0, 1, 2, 3], "y": [0.0, 1, 0, 1], "name": ["V1", "a", "b", "pixels"]})
    points = points.assign(kind=["brain", "network", "network", "model"], layer=[None, "layer1", "layer2", None])
    figure = similarity.draw_map(points.assign(learning_rule=[None, "oja", "oja", None]))
    (line,) = drawn(figure, "rule-oja")
    assert line.get_xdata().tolist() == [1, 2] and line.get_marker() == "o"
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["1", "2", "V1", "pixels"]


def test_seeds_are_averaged():
    rows = pd.concat([rsa_rows([np.nan]).assign(seed=seed, value=value) for seed, value in ((0, 0.2), (1, 0.4))])
    np.testing.assert_allclose(similarity.average_seeds(rows)["value"], 0.3)


def test_rdms_are_ranks_with_an_empty_diagonal():
    figure = similarity.draw_rdms(np.array([[0.1, 0.9, 0.5]]), ["one"], [("a", 1), ("b", 2)])
    assert [line.get_ydata()[0] for line in drawn(figure, "border")] == [0.5]
    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b"]
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, [[0, 1, 3], [1, 0, 2], [3, 2, 0]])


def test_accuracies_stand_beside_the_untrained_network():
    rows = pd.DataFrame({"network": "mlp", "learning_rule": ["oja", "backprop"], "accuracy": [0.3, 0.9]})
    figure = learning.draw_accuracies(rows.assign(accuracy_untrained=0.25, status=["failed", "learned"]))
    np.testing.assert_allclose(drawn(figure, "accuracy")[0].get_offsets(), [[0.3, 0], [0.9, 1]])
    np.testing.assert_allclose(drawn(figure, "untrained")[0].get_offsets()[:, 0], 0.25)


def test_quality_has_a_bar_a_recording():
    table = pd.DataFrame({"fd": [0.1, 0.3]}, index=["run-1", "run-2"])
    bars = quality.draw_quality(table, {"fd": "displacement"}).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.1, 0.3]


def test_slices_lie_where_the_rate_is():
    rate = np.zeros((6, 6, 6))
    rate[2:4, 2:4, 4] = 1
    affine = np.diag([10.0, 10, 10, 1])
    assert brain.slice_heights(rate, affine, 0.5) == [40.0]
    figure = brain.draw_slices(rate, np.ones(rate.shape, dtype=bool), affine, on_template=False, selected=rate > 0)
    assert figure.axes


def test_a_single_slice_is_drawn_as_one_picture():
    rate = RANDOM.random((8, 7, 1))
    figure = brain.draw_slices(rate, np.ones(rate.shape, dtype=bool), np.eye(4), on_template=False)
    np.testing.assert_allclose(figure.axes[0].images[-1].get_array(), rate[:, :, 0].T)


def test_an_empty_map_is_refused():
    with pytest.raises(ValueError, match="every voxel is 0"):
        brain.top_share(np.zeros((3, 3, 3)), 0.05)


def test_series_differ_in_grey_too():
    styles = series_styles(["a", "b", "c", "untrained"])
    assert len({style["marker"] for style in styles.values()}) == 4
    assert len({str(style["linestyle"]) for style in styles.values()}) == 4
    bars = bar_styles(["a", "b", "c", "untrained"])
    assert len({(style["hatch"], style["facecolor"]) for style in bars.values()}) == 4
    assert len({bars[name]["hatch"] for name in "abc"}) == 3
    contrast = [1.05 / (np.dot(colors.to_rgb(c), [0.2126, 0.7152, 0.0722]) + 0.05) for c in COLOURS]
    assert min(contrast) > 1.3


def made_run(motion: bool = True) -> tuple[pd.DataFrame, quality_run.RunPicture]:
    values = {"framewise_displacement": [np.nan, 0.1, 0.9, 0.2], "std_dvars": [np.nan, 1.0, 2.0, 1.6]}
    confounds = pd.DataFrame(values | ({"trans_x": [0.0, 1, 2, 3], "rot_z": [0.0, 0.1, 0, 0]} if motion else {}))
    masks = np.zeros((5, 20, 24), dtype=bool)
    masks[:, 4:16, 5:19] = True
    arrays = {"carpet_before": np.zeros((6, 4), np.int8), "carpet_after": np.zeros((6, 4), np.int8)}
    arrays |= {
        "carpet_tissue": np.array([0, 1, 1, 2, 2, 2]),
        "slices_mean": masks * np.uint8(200),
        "slices_mask": masks,
    }
    place = np.array([[9.0, 0, 0, -85], [0, 9, 0, -120], [0, 0, 9, -40], [0, 0, 0, 1]])
    arrays |= {"slices_tsnr": masks * 50.0, "slices_at": np.arange(3, 8), "place": place}
    return confounds, quality_run.RunPicture(arrays, 2.0, 0.5, 1.5, 80.0, on_template=True)


def test_a_run_marks_what_lies_above_its_thresholds():
    confounds, run = made_run()
    figure = quality_run.draw_run(confounds, run)
    (fd,), (dvars,) = drawn(figure, "framewise_displacement-beyond"), drawn(figure, "std_dvars-beyond")
    assert fd.get_xdata().tolist() == [4.0] and dvars.get_xdata().tolist() == [4.0, 6.0]  # seconds
    np.testing.assert_allclose(drawn(figure, "rot_z")[0].get_ydata(), [0, 5, 0, 0])  # mm at 50 mm
    assert len(drawn(figure, "outline-mask")) == 5 and len(drawn(figure, "outline-template")) == 5


def test_a_native_run_has_no_template_and_a_run_of_regions_no_slices():
    confounds, run = made_run(motion=False)
    native = quality_run.draw_run(confounds, replace(run, on_template=False))
    assert not drawn(native, "outline-template") and len(drawn(native, "outline-mask")) == 5
    carpets = {name: array for name, array in run.arrays.items() if name.startswith("carpet")}
    regions = quality_run.draw_run(confounds.drop(columns="framewise_displacement"), replace(run, arrays=carpets))
    assert len(regions.axes) == 5
    assert [text.get_text() for axis in regions.axes for text in axis.texts] == ["not estimated", "not estimated"]


def test_the_template_s_outline_lies_where_the_template_is():
    _, run = made_run()
    inside, x, y = quality_run._template_slice(run.arrays["place"], 6, (24, 20))
    brain, affine = quality_run.load_template_mask()
    for i, j in ((5, 40), (37, 44), (30, 80)):
        at = run.arrays["place"] @ [x[i], y[j], 6, 1]
        voxel = np.round(np.linalg.inv(affine) @ at).astype(int)[:3]
        assert inside[j, i] == brain[tuple(voxel)]
    assert 0.2 < inside.mean() < 0.8


def test_strips_name_the_bad_runs():
    table = pd.DataFrame({"fd": [0.1, 0.2, 0.9], "tsnr": [50.0, 60, 55]}, index=["run-1", "run-2", "run-3"])
    bad = pd.DataFrame(False, index=table.index, columns=table.columns)
    bad.loc["run-3", "fd"] = True
    figure = quality.draw_strips(table, bad, {"fd": "displacement", "tsnr": "tSNR"})
    assert drawn(figure, "fd-bad")[0].get_xdata().tolist() == [0.9]
    assert drawn(figure, "fd-good")[0].get_xdata().tolist() == [0.1, 0.2]
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes] == [["run-3"], []]


def test_curves_are_means_over_seeds_and_cosines_over_layers():
    rows = pd.DataFrame({"network": "mlp", "learning_rule": "oja", "seed": [0, 0, 1, 1], "update": [0, 9, 0, 9]})
    rows = rows.assign(accuracy=[0.2, 0.8, 0.4, 0.6])
    angles = rows.assign(layer=["layer1", "layer1", "layer2", "layer2"], cosine=[1, 0.5, 0, 0.1])
    left, right = learning.draw_curves(rows, angles).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [0.3, 0.7])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.5, 0.3])
