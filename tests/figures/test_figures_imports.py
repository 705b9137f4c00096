import subprocess
import sys

import pytest

MODULES = (
    "analysis.scores.cells",
    "analysis.scores.baselines",
    "analysis.exposure.exposure",
    "cost.tables",
    "figures.matrix",
    "figures.confusion",
    "figures.curves",
    "report.page",
)


@pytest.mark.slow
def test_figures_tables_and_report_import_no_model_library():
    imports = ", ".join(f"babelgrid.{name}" for name in MODULES)
    heavy = "{'torch', 'transformers', 'peft', 'datasets'} & set(sys.modules)"
    code = f"import sys, {imports}; print(sorted({heavy}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
