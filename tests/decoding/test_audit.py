"""Leaks that are planted are found and named."""

from brainlm.decoding.audit import find_leaks


def test_planted_leaks_are_named():
    roles = {"training": ["run-1"], "validation": [], "test": ["run-2"]}
    text = ["the", "old", "man", "saw", "the", "sea"]
    assert find_leaks(roles, {"gates": ["run-1"]}, [text], [["a", "very", "other", "text", "of", "words"]]) == []
    assert "gates was fitted on the test recording run-2" in find_leaks(roles, {"gates": ["run-2"]}, [text], [])
    assert "100%" in find_leaks(roles, {}, [text], [["x", *text]])[0]
    assert "two roles" in find_leaks(roles | {"test": ["run-1"]}, {}, [text], [])[0].replace("2", "two")
