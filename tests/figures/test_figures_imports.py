import subprocess
import sys


def test_pictures_and_tables_are_made_without_a_model_library():
    modules = (
        "bias, babelgrid.figures.gain, babelgrid.figures.matrix, babelgrid.analysis.cells, babelgrid.analysis.baselines"
    )
    heavy = "{'torch', 'transformers', 'peft', 'datasets'} & set(sys.modules)"
    code = f"import sys, babelgrid.figures.{modules}, babelgrid.analysis.exposure; print(sorted({heavy}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
