"""Inputs after public reports give the result that the docs state."""

import pytest

from tests.inputs.public_reports import PAGE, REPORTS, in_page


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.where)
def test_an_input_of_a_public_report(tmp_path, report):
    diagnosis = report.make(tmp_path)
    texts = [text for video in diagnosis.videos for text in (*video.problems, *video.notes)] + diagnosis.problems
    assert diagnosis.works == report.works, texts
    for word in report.words:
        assert any(word in text for text in texts), texts
    if report.works:
        assert tuple(diagnosis.videos[0].given_at) == report.objects


def test_the_table_in_the_docs_is_up_to_date():
    page = PAGE.read_text()
    assert page == in_page(page), "run python -m tests.inputs.public_reports"
