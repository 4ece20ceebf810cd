import pytest

from brainlm.errors import BrainlmError, ConfigError, choose


def test_choose_returns_what_is_allowed():
    assert choose("learning rule", "oja", ["oja", "stdp"]) == "oja"


def test_choose_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'predictive_coding'") as caught:
        choose("learning rule", "predictve_coding", ["backprop", "predictive_coding"])
    assert isinstance(caught.value, BrainlmError)
    assert "backprop, predictive_coding" in str(caught.value)
