import numpy as np
import pytest

from brainlm.errors import BrainlmError, ConfigError, choose, one_line


def test_choose_returns_what_is_allowed():
    assert choose("learning rule", "oja", ["oja", "stdp"]) == "oja"


def test_choose_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'predictive_coding'") as caught:
        choose("learning rule", "predictve_coding", ["backprop", "predictive_coding"])
    assert isinstance(caught.value, BrainlmError)
    assert "backprop, predictive_coding" in str(caught.value)


def test_choose_refuses_what_is_no_text():
    with pytest.raises(ConfigError, match="Unknown label 3. Choose one of: first, spread."):
        choose("label", 3, ["first", "spread"])


def test_what_numpy_says_of_pickles_is_no_advice_to_read_them(tmp_path):
    (tmp_path / "text.npz").write_text("no arrays")
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object))
    for name in ("text", "objects"):
        with pytest.raises(ValueError, match="allow_pickle") as caught:
            np.load(tmp_path / f"{name}.npz")["x"]
        assert one_line(caught.value) == "pickled objects, or no file of arrays"
    assert one_line(OSError("two\n  lines")) == "two lines"
