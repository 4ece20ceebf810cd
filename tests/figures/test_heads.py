import numpy as np
import pytest
from matplotlib.figure import Figure
from small_eeg import NAMES, make_raw

from brainlm.figures.eeg import draw_head


def drawn(names):
    """Distances of the sensors from the middle of the head, in its radii, and their forward coordinate."""
    info = make_raw(1).pick(names).info
    axis = Figure().subplots()
    draw_head(axis, np.arange(float(len(names))), info, "cividis", (0, 20))
    circle = max(axis.lines, key=lambda line: len(line.get_xdata()))
    outline = np.column_stack([circle.get_xdata(), circle.get_ydata()])
    centre = (outline.max(axis=0) + outline.min(axis=0)) / 2
    sensors = next(np.column_stack(line.get_data()) for line in axis.lines if line.get_marker() == ".")
    return np.linalg.norm(sensors - centre, axis=1) / (np.ptp(outline[:, 0]) / 2), (sensors - centre)[:, 1]


def test_the_ten_twenty_ring_lies_near_the_rim_and_the_rest_inside():
    distance, forward = drawn(NAMES)
    at = dict(zip(NAMES, distance, strict=True))
    assert all(0.8 < at[name] < 1.1 for name in ("Fp1", "Fp2", "F7", "F8", "T7", "T8", "P7", "P8", "O1", "O2"))
    assert all(at[name] < 0.75 for name in ("F3", "Fz", "C3", "Cz", "C4", "P3", "Pz", "P4"))
    assert forward[NAMES.index("Fp1")] > 0 > forward[NAMES.index("O1")]


@pytest.mark.parametrize("names", [NAMES[:4], NAMES[:5]])
def test_few_sensors_are_drawn_all_the_same(names):
    distance, _ = drawn(names)
    assert np.isfinite(distance).all()
