"""The services run in a Lambda function, which has boto3 and none of the libraries that models are made with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"matplotlib", "numpy", "pandas", "pyarrow", "scipy", "statsmodels", "xgboost"}


@pytest.mark.parametrize(
    "module", ["ml.recommender.service", "ml.recommender.table", "ml.sales.service", "ml.venues.service"]
)
def test_a_service_imports_nothing_that_a_model_is_made_with(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert HEAVY & set(answer.stdout.split()) == set()
