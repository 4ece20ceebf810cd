import pytest

from brainlm import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "__init__.py").touch()
    (tmp_path / "steps" / "fly.py").write_text('"""Fly."""\nfrom brainlm.wings import flap\n')
    (tmp_path / "wings.py").write_text("def flap():\n    return 1\n")
    (tmp_path / "fins.py").write_text("def swim():\n    return 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    return tmp_path


def test_source_files_follow_imports(package):
    names = [path.name for path in provenance.source_files("brainlm.steps.fly")]
    assert names == ["__init__.py", "fly.py", "wings.py"] or names == ["fly.py", "wings.py"]


def test_a_change_in_an_imported_module_changes_the_version(package):
    before = provenance.code_version("brainlm.steps.fly")
    (package / "wings.py").write_text("def flap():\n    return 2\n")
    assert provenance.code_version("brainlm.steps.fly") != before


def test_docstrings_comments_and_other_modules_do_not_count(package):
    before = provenance.code_version("brainlm.steps.fly")
    (package / "wings.py").write_text('def flap():\n    """Beat."""\n    # once\n    return 1\n')
    (package / "fins.py").write_text("def swim():\n    return 3\n")
    assert provenance.code_version("brainlm.steps.fly") == before


def test_an_unknown_module_is_refused(package):
    with pytest.raises(ValueError, match="brainlm.steps.swim"):
        provenance.code_version("brainlm.steps.swim")
