"""What the search of hyperparameters refuses, before it needs Optuna."""

from pathlib import Path

import pytest

from ml.sales import tune
from tests.unit.ml.synthetic_concerts import concerts

UNTIL = ["--until", "2018-01-01"]


def test_a_file_that_cannot_be_read_ends_the_search_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^tune: .*absent\.csv cannot be read"):
        tune.main(["--reports", str(tmp_path / "absent.csv"), "--format", "canonical", *UNTIL])


def test_a_file_with_too_few_reports_before_the_day_ends_the_search_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    concerts(rows=300, seed=3).to_csv(path, index=False)
    with pytest.raises(SystemExit, match=r"^tune: .*few\.csv: \d+ reports .* a search takes 600"):
        tune.main(["--reports", str(path), "--format", "canonical", *UNTIL])


def test_each_file_needs_a_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tune.main(["--reports", "one.csv", "--format", "canonical", "canonical", *UNTIL])
    assert "1 files and 2 formats" in capsys.readouterr().err
