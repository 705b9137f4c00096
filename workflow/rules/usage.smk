# The usage records of each row's jobs, by mixture.
def usage_files(rule_name, row):
    """Return the usage records of a row's jobs."""
    job = f"{rule_name}/{row[0]}/seed{row[1]}"
    per_cell = rule_name == "predict" and EXPERIMENT.predict.per_cell
    if not per_cell:
        return [FILES.usage(job)]
    return [FILES.usage(f"{job}/{language}") for language in GRID.test_languages]


def by_mixture(rule_name, rows):
    """Return mixture -> usage records of its rows."""
    found = {}
    for row in rows:
        found.setdefault(row[0], []).extend(usage_files(rule_name, row))
    return found


PREDICT_USAGE = by_mixture("predict", ROWS_OF_BASE)
FINETUNE_USAGE = by_mixture("finetune", GRID.adapters)
for system in ENCODER_SYSTEMS:
    PREDICT_USAGE |= by_mixture(f"predict_{system}", rows_of(system))
    FINETUNE_USAGE |= by_mixture(f"train_{system}", rows_of(system))
PREDICT_USAGE |= by_mixture("predict", TRANSLATED_ROWS)
# The adapter that reads translated test posts was trained for the mixture.
FINETUNE_USAGE |= {name: FINETUNE_USAGE[split_row(name)[1]] for name, _ in rows_of("translate_test")}
# Test posts are embedded once, for all mixtures and seeds.
EMBEDDED_USAGE = {
    row: [FILES.usage(f"embed_posts/{language}/test") for language in GRID.test_languages]
    for row, _ in rows_of("embedding")
}
ASKED_DETAILS = {name: [f"{RESULTS}/api/{name}/seed{seed}.json"] for name, seed in GRID.rows if name in API_ROWS}
