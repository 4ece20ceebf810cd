"""docs/reliability.md says what the records say, and the records say enough."""

import json

from reliability_page import BAD_INPUTS, FAULTS, PAGE, ROOT, render


def test_the_page_is_made_from_the_records():
    assert PAGE.read_text() == render()


def test_a_dozen_faults_lost_nothing():
    rows = json.loads(FAULTS.read_text())["rows"].values()
    assert len(rows) >= 12
    assert {(row["lost"], row["identical"]) for row in rows} == {("nothing", "yes")}


def test_sixty_bad_inputs_are_told_in_one_line_each_by_tests_that_are_there():
    rows = json.loads(BAD_INPUTS.read_text())["rows"]
    assert len({(row["where"], row["message"]) for row in rows}) >= 60
    for row in rows:
        assert row["message"].strip() and "\n" not in row["message"], row
        file, _, test = row["test"].partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(), row["test"]
