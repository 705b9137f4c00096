# The rows, encoders and settings of rivals.
from babelgrid.config.rivals import PLACE_KEYS
from babelgrid.mixture import ENCODERS as ENCODER_SYSTEMS
from babelgrid.resources import encoder_memory_mb
from babelgrid.results_layout import TRAINED

RIVAL_SETTINGS = settings("rivals")["rivals"] or {}


def rival_resources(system):
    """Return the resources of the jobs that run a rival's encoder."""
    encoder = getattr(EXPERIMENT.rivals, system, None)
    megabytes = encoder_memory_mb(encoder) if encoder else 0
    return {**MODEL_RESOURCES, "mem_mb": lambda wildcards, attempt: attempt * megabytes}


def rows_of(system):
    """Return the (row, seed) of one rival."""
    return [row for row in GRID.rivals if GRID.mixtures[row[0]].system == system]


def names_of(system):
    """Return a wildcard constraint for the rows of one rival."""
    return row_pattern(dict.fromkeys(name for name, _ in rows_of(system)))


def encoder_files(system):
    """Return the files of a rival's encoder in a local folder, with those of its folders of sentence-transformers."""
    folder = (RIVAL_SETTINGS.get(system) or {}).get("folder")
    if folder is None:
        return []
    place = Path(folder).expanduser()
    found = [*place.glob("[!.]*"), *place.glob("[!.]*/config.json")] if place.is_dir() else []
    return sorted(str(path) for path in found if path.is_file())


def rival_settings(system):
    """Return the settings that a rival's results depend on; its files are recorded by their checksums."""
    own = RIVAL_SETTINGS.get(system) or {}
    return {key: value for key, value in own.items() if key not in PLACE_KEYS}


def embeddings_of_mixture(wildcards):
    """Return the embeddings of the train posts of a row's languages."""
    return [FILES.embeddings(name, "train") for name in GRID.mixtures[wildcards.mixture].all_languages]
