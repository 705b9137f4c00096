# Matrices of mixtures by test languages, all from the same tables.


localrules:
    draw_transfer_matrix,
    draw_clustered_matrix,
    draw_gap_matrix,
    draw_gain_matrix,


rule draw_transfer_matrix:
    input:
        **GRID_TABLES,
    output:
        **figure_files("transfer_matrix"),
    log:
        f"{RESULTS}/logs/draw_transfer_matrix/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_transfer_matrix"),
        look=LOOK,
    script:
        "../scripts/draw_transfer_matrix.py"


rule draw_clustered_matrix:
    input:
        **GRID_TABLES,
    output:
        **figure_files("clustered_matrix"),
    log:
        f"{RESULTS}/logs/draw_clustered_matrix/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_clustered_matrix"),
        look=LOOK,
    script:
        "../scripts/draw_clustered_matrix.py"


rule draw_gap_matrix:
    input:
        **GRID_TABLES,
    output:
        **figure_files("gap_matrix"),
    log:
        f"{RESULTS}/logs/draw_gap_matrix/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_gap_matrix"),
        look=LOOK,
    script:
        "../scripts/draw_gap_matrix.py"


rule draw_gain_matrix:
    input:
        **GRID_TABLES,
    output:
        **figure_files("gain_matrix"),
    log:
        f"{RESULTS}/logs/draw_gain_matrix/{{view}}.log",
    conda:
        "../../envs/babelgrid.yaml"
    params:
        code=code("draw_gain_matrix"),
        look=LOOK,
    script:
        "../scripts/draw_gain_matrix.py"
