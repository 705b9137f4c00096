"""Build the grid: its mixtures, what each is made of, and the cells they span."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product

from babelgrid.config.experiment import Experiment
from babelgrid.config.mixtures import Dose, LayerSwap, Pairs
from babelgrid.config.shown import shown
from babelgrid.errors import UserError, nearest
from babelgrid.mixture import MERGED, TRANSLATED, Merge, Mixture, Needs, Swap, Translations
from babelgrid.posts.imported_mixtures import mixture_names

MAX_MIXTURE_NAME = 200
"""Maximum characters of a mixture's name; file systems allow up to 255."""


@dataclass(frozen=True)
class Grid:
    """All mixtures of an experiment, by name, and the languages that they are tested on."""

    mixtures: dict[str, Mixture]
    seeds: tuple[int, ...]
    test_languages: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, int]]:
        """Return every (mixture, seed); the untuned base has only one seed, because nothing is drawn for it."""
        return [(name, seed) for name in self.mixtures for seed in self.seeds_of(name)]

    @property
    def adapters(self) -> list[tuple[str, int]]:
        """Return every (mixture, seed) for which the base is trained, on posts or on their translations."""
        return [(name, seed) for name, seed in self.rows if self.mixtures[name].trains_base]

    @property
    def own(self) -> dict[str, Mixture]:
        """Return the mixtures without the rows of rivals."""
        return {name: mixture for name, mixture in self.mixtures.items() if not mixture.system}

    @property
    def rivals(self) -> list[tuple[str, int]]:
        """Return every (row, seed) of the rivals."""
        return [(name, seed) for name, seed in self.rows if self.mixtures[name].system]

    @property
    def merged(self) -> list[tuple[str, int]]:
        """Return every (mixture, seed) that is merged from trained adapters."""
        return [(name, seed) for name, seed in self.rows if self.mixtures[name].merge]

    @property
    def cells(self) -> list[tuple[str, int, str]]:
        """Return every (mixture, seed, test language)."""
        return [(*row, language) for row in self.rows for language in self.test_languages]

    def seeds_of(self, name: str) -> tuple[int, ...]:
        """Return the seeds of a mixture."""
        return self.seeds if self.mixtures[name].has_adapter else self.seeds[:1]


def build_grid(experiment: Experiment) -> Grid:
    """Expand the declared mixtures, in order of declaration, each once.

    For predictions made elsewhere, the mixtures are read from the files.
    Raises `UserError` if a declaration names a language that is not a train language, if a merged row needs an adapter
    that the grid lacks, or if two different rows would have the same name, because their files would overwrite each
    other.
    """
    _check_languages(experiment)
    expanded = [*(imported_mixtures(experiment).values() if experiment.predictions else _expand(experiment))]
    if not experiment.predictions:
        expanded += _expand_merged(experiment, expanded)
    asked = map(Mixture, experiment.api.rows if experiment.api else ())
    mixtures = _by_name([*expanded, *asked])
    if not mixtures:
        raise UserError("mixtures: no mixture is declared; add for example 'monolingual: all' or 'all: true'")
    if not experiment.predictions:
        _check_mixtures(mixtures.values(), experiment.mixtures.posts)
    mixtures |= {rival.name: rival for rival in _rivals(mixtures, experiment)}
    _check_lengths(mixtures)
    return Grid(mixtures, tuple(experiment.seeds), tuple(experiment.test_languages))


def _check_languages(experiment: Experiment) -> None:
    """Reject languages whose code is the name of a mixture: `all` (Allar), or a code that starts with `all-`.

    `posts/all.parquet` therefore never belongs to a language; no other file in that folder is named like a language.
    """
    for key, languages in (("train", experiment.languages.train), ("test", experiment.test_languages)):
        for language in languages:
            if language == "all" or language.startswith("all-"):
                private = f"x-{language.lower()}"
                raise UserError(
                    f"languages.{key}: {language!r} is the name of a mixture here (all train languages, or all but "
                    "one). Give the language a private code, and map the code in the data to it: "
                    f"languages: {{{key}: [{private}], aliases: {{{language}: {private}}}}}"
                )


def _rivals(mixtures: dict[str, Mixture], experiment: Experiment) -> Iterator[Mixture]:
    """Yield the rows of each rival: the same posts as a mixture's, under the name `<system>.<mixture>`."""
    if experiment.rivals is None:
        return
    trained = [name for name, mixture in mixtures.items() if mixture.is_trained]
    chosen = trained if experiment.rivals.mixtures == "all" else experiment.rivals.mixtures
    for name in chosen:
        if name not in trained:
            raise UserError(
                f"rivals.mixtures: there is no trained mixture {name!r}{nearest(name, trained)}. "
                f"Allowed: {', '.join(trained) or 'none, because the grid trains nothing'}"
            )
    translate = experiment.translate
    for system in experiment.rivals.systems:
        # Posts in the pivot are their own translations: the mixture's adapter has learnt from them already.
        repeated = [(translate.pivot,)] if translate and system == "translate_train" else []
        names = [name for name in trained if name in chosen and mixtures[name].all_languages not in repeated]
        if chosen and not names and experiment.rivals.systems == [system]:
            raise UserError(
                f"rivals.translate: all posts of {', '.join(chosen)} are in the pivot, so there is nothing to train on "
                "their translations. Add mixtures to rivals.mixtures, or set rivals.translate.test to true"
            )
        yield from (replace(mixtures[name], name=f"{system}.{name}") for name in names)


def _by_name(mixtures: Iterable[Mixture]) -> dict[str, Mixture]:
    """Return each mixture once, by name; raise `UserError` if two different ones have the same name, ignoring case."""
    found: dict[str, Mixture] = {}
    for mixture in mixtures:
        other = found.setdefault(mixture.name.casefold(), mixture)
        if other != mixture:
            names = repr(mixture.name) if other.name == mixture.name else f"{other.name!r} and {mixture.name!r}"
            raise UserError(
                f"mixtures: two different rows would be called {names}, and would overwrite each other's files. "
                "Rename one of them"
            )
    return {mixture.name: mixture for mixture in found.values()}


def needs_of(grid: Grid, experiment: Experiment) -> Needs:
    """Return what the grid needs of the posts."""
    trained = [language for mixture in grid.own.values() for language in mixture.all_languages]
    return Needs(
        tuple(sorted(set(trained))),
        grid.test_languages,
        tuple(experiment.labels),
        tuple(grid.own.values()),
        experiment.mixtures.posts,
        _translations(grid, experiment),
    )


def _translations(grid: Grid, experiment: Experiment) -> Translations | None:
    """Return which translations the rows of the grid read."""
    translate = experiment.translate
    read_by = [mixture for mixture in grid.mixtures.values() if mixture.system in TRANSLATED]
    if translate is None or not read_by:
        return None
    train = {code for own in read_by if own.system == "translate_train" for code in own.all_languages}
    parts = [tuple(sorted({*codes} - {translate.pivot})) for codes in (train, grid.test_languages)]
    return Translations(translate.source_column, translate.pivot, *parts)


def find_row(grid: Grid, name: str, key: str) -> tuple[str, int]:
    """Return the (mixture, seed) written as `en+hu@25/seed1`, or as `en+hu@25` for its first seed.

    key: the config key that contains the name, for the `UserError` if the grid does not have this row.
    """
    mixture, _, seed = name.partition("/seed")
    if mixture not in grid.mixtures:
        allowed = ", ".join(grid.mixtures)
        raise UserError(f"{key}: there is no mixture {mixture!r}{nearest(mixture, grid.mixtures)}. Allowed: {allowed}")
    seeds = grid.seeds_of(mixture)
    if seed and seed not in map(str, seeds):
        allowed = ", ".join(f"{mixture}/seed{number}" for number in seeds)
        raise UserError(f"{key}: {mixture!r} has no seed {seed!r}. Allowed: {allowed}")
    return mixture, int(seed) if seed else seeds[0]


def imported_mixtures(experiment: Experiment) -> dict[str, Mixture]:
    """Return the mixtures of imported predictions, by their names in the files."""
    if experiment.predictions is None:
        return {}
    settings = experiment.predictions.imported
    read = {name: _read_name(settings.mixtures.get(name, name), experiment) for name in mixture_names(settings)}
    names: dict[str, str] = {}
    for name, mixture in read.items():
        other = names.setdefault(mixture.name, name)
        if other != name:
            raise UserError(
                f"predictions: the mixtures {other!r} and {name!r} in the files would both be {mixture.name!r} here. "
                "Set in predictions.import.mixtures what each was trained on, or remove one from the files"
            )
    return read


def _read_name(name: str, experiment: Experiment) -> Mixture:
    """Parse the name of an imported mixture: as here, or languages joined by other separators (`en-es`)."""
    train = experiment.languages.train
    if name == "none":
        return Mixture(name)
    if dose := re.fullmatch(r"(.+)\+([^+@]+)@([0-9]{1,9})", name):
        base = _named(dose[1], experiment)
        [language], size = _listed([dose[2]], train, "a mixture's name"), int(dose[3])
        if language in base.languages:
            raise UserError(f"predictions: the mixture {name!r} adds a dose of {language!r}, which it already contains")
        return Mixture(f"{base.name}+{language}@{size}", base.languages, language, size)
    is_ours = name in {"all", *train, *experiment.mixtures.sets} or name.startswith("all-")
    pieces = [name] if is_ours else re.split(r"\+" if "+" in name else r"[-_,;/ ]+", name)
    aliases = experiment.languages.aliases
    try:
        return _named("+".join(aliases.get(piece, piece) for piece in pieces), experiment)
    except UserError as error:
        hint = "Set in predictions.import.mixtures what this mixture was trained on, e.g. {multi: all}"
        raise UserError(f"predictions: unknown mixture {name!r}: {error}. {hint}") from None


def _expand(experiment: Experiment) -> Iterator[Mixture]:
    declared = experiment.mixtures
    train = experiment.languages.train
    if declared.none:
        yield Mixture("none")
    for language in _listed(declared.monolingual, train, "monolingual"):
        yield Mixture(language, (language,))
    yield from _pairs(declared.pairs, train)
    for name in declared.sets:
        yield _named(name, experiment)
    if declared.all:
        yield Mixture("all", tuple(train))
    for language in _listed(declared.leave_one_out, train, "leave_one_out"):
        yield _named(f"all-{language}", experiment)
    for dose in declared.doses:
        yield from _doses(dose, experiment)
    for name, posts in declared.allocations.items():
        _check_name(name, {*declared.sets, *train, *experiment.test_languages}, "allocations")
        languages = tuple(_listed(posts, train, f"allocations.{name}"))
        yield Mixture(name, languages, allocation=tuple(posts.items()))


def _expand_merged(experiment: Experiment, mixtures: Iterable[Mixture]) -> Iterator[Mixture]:
    """Yield the merged rows, made from the trained rows among `mixtures`."""
    declared, train = experiment.mixtures.merged, experiment.languages.train
    trained = {mixture.name: mixture for mixture in mixtures if mixture.is_trained}

    def parents(names: Collection[str], key: str) -> tuple[Mixture, ...]:
        return tuple(_parent(name, trained, train, f"merged.{key}") for name in names)

    is_all = declared.pairs == "all"
    alone = parents(
        _listed(experiment.mixtures.monolingual if is_all else declared.pairs, train, "merged.pairs"), "pairs"
    )
    if declared.pairs and len(alone) < 2:
        raise UserError(
            "mixtures.merged.pairs: needs at least two languages with an adapter of their own; add them to "
            "mixtures.monolingual"
        )
    for pair in combinations(alone, 2):
        yield _average(pair, (1.0, 1.0))
    for average in declared.averages:
        yield _average(parents(average.of, "averages.of"), average.weights or [1.0] * len(average.of))
    for swap in declared.swaps:
        [outer], [inner] = parents([swap.outer], "swaps.outer"), parents([swap.inner], "swaps.inner")
        yield _swapped(outer, inner, swap)


def _parent(name: str, trained: Mapping[str, Mixture], train: Collection[str], where: str) -> Mixture:
    if name not in trained:
        add = f"add {name!r} to mixtures.monolingual" if name in train else "declare the row under mixtures"
        if name == "none" or MERGED in name:
            add = "name rows that are trained"
        raise UserError(
            f"mixtures.{where}: the grid has no trained adapter {name!r}{nearest(name, trained)}; {add}. "
            f"Trained here: {', '.join(trained) or 'no row'}"
        )
    return trained[name]


def _average(parents: Collection[Mixture], weights: Collection[float]) -> Mixture:
    shares = tuple(weight / sum(weights) for weight in weights)
    merge = Merge(tuple(parents), shares)
    is_equal = merge.kind == "average"
    names = [f"{'' if is_equal else f'{share:.3g}'}{own.name}" for own, share in zip(parents, shares, strict=True)]
    return Mixture(MERGED.join(names), _languages_of(parents), merge=merge)


def _swapped(outer: Mixture, inner: Mixture, swap: LayerSwap) -> Mixture:
    """Return the row of a layer swap; its name lists the layers from the bottom to the top."""
    between = [str(swap.transition)] if swap.transition else []
    below = [f"{swap.bottom}{outer.name}", *between] if swap.bottom else []
    above = [*between, f"{swap.top}{outer.name}"] if swap.top else []
    merge = Merge((outer, inner), (0.5, 0.5), Swap(swap.bottom, swap.top, swap.transition))
    return Mixture(MERGED.join([*below, inner.name, *above]), _languages_of([outer, inner]), merge=merge)


def _languages_of(parents: Iterable[Mixture]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(language for parent in parents for language in parent.all_languages))


def _pairs(blocks: Iterable[Pairs], train: list[str]) -> Iterator[Mixture]:
    """Yield each pair of languages once, in order of first occurrence: `es+en` is `en+es`."""
    met: set[frozenset[str]] = set()
    for block in blocks:
        firsts = _listed(block.base, train, "pairs.base")
        for pair in product(firsts, _listed(block.languages, train, "pairs.languages")):
            languages = frozenset(pair)
            if len(languages) == 2 and languages not in met:
                met.add(languages)
                yield Mixture("+".join(pair), pair)


def _doses(dose: Dose, experiment: Experiment) -> Iterator[Mixture]:
    base = _named(dose.base, experiment)
    for language in _listed(dose.add, experiment.languages.train, "doses.add"):
        if language in base.languages:
            raise UserError(f"mixtures.doses: {language!r} is already in the base mixture {dose.base!r}")
        for size in sorted(set(dose.sizes)):
            yield Mixture(f"{base.name}+{language}@{size}", base.languages, language, size) if size else base


def _named(name: str, experiment: Experiment) -> Mixture:
    """Parse the name of a mixture that is trained in full: `en`, `en+es`, `all`, `all-hu`, or a set's name."""
    train = experiment.languages.train
    sets = experiment.mixtures.sets
    if name in sets:
        _check_name(name, {*train, *experiment.test_languages}, "sets")
        return Mixture(name, tuple(_listed(sets[name], train, f"sets.{name}")))
    if name == "all":
        return Mixture(name, tuple(train))
    if name.startswith("all-"):
        [left_out] = _listed([name.removeprefix("all-")], train, "leave_one_out")
        if len(train) < 2:
            raise UserError("mixtures.leave_one_out: needs at least two train languages")
        return Mixture(name, tuple(language for language in train if language != left_out))
    return Mixture(name, tuple(_listed(name.split("+"), train, "a mixture's name")))


def _check_mixtures(mixtures: Iterable[Mixture], budget: int | None) -> None:
    """Reject mixtures that would be trained twice under two names, and budgets that are too small."""
    made_of: dict[object, str] = {}
    for mixture in mixtures:
        parts = (*_recipe(mixture), mixture.dose_language, mixture.dose, frozenset(mixture.allocation))
        # With two train languages, `all-hu` equals `en`; such a small grid may contain both.
        is_named = mixture.has_adapter and not re.fullmatch("all(-.*)?", mixture.name)
        first = made_of.setdefault(parts, mixture.name) if is_named else mixture.name
        if first != mixture.name:
            of = "adapters" if mixture.merge else "posts"
            raise UserError(f"mixtures: {first!r} and {mixture.name!r} are made of the same {of}; keep one of them")
        if budget is not None and mixture.is_trained and not mixture.allocation:
            _check_budget(mixture, budget)


def _recipe(mixture: Mixture) -> tuple[object, ...]:
    """Return what a mixture is made of, whatever the order in which it was declared."""
    if mixture.merge is None:
        return frozenset(mixture.languages), None
    names = [parent.name for parent in mixture.merge.parents]
    if mixture.merge.swap:
        return tuple(names), mixture.merge.swap
    return frozenset(zip(names, mixture.merge.weights, strict=True)), None


def _check_lengths(names: Iterable[str]) -> None:
    for name in names:
        if len(name) > MAX_MIXTURE_NAME:
            raise UserError(
                f"mixtures: {shown(name)} has {len(name)} characters, but as a folder name it may have "
                f"at most {MAX_MIXTURE_NAME}. Give the languages a short name in mixtures.sets"
            )


def _check_budget(mixture: Mixture, budget: int) -> None:
    if budget - mixture.dose < len(mixture.languages):
        dose = f" and the dose of {mixture.dose}" if mixture.dose else ""
        raise UserError(
            f"mixtures.posts: {budget} posts are too few for a post in each of the {len(mixture.languages)} languages "
            f"of {mixture.name!r}{dose}"
        )


def _check_name(name: str, taken: set[str], where: str) -> None:
    if name in taken:
        raise UserError(f"mixtures.{where}: {name!r} is taken; choose another name")


def _listed(languages: Collection[str], train: list[str], where: str) -> list[str]:
    if languages == "all":
        return train
    for number, language in enumerate(languages):
        if language in list(languages)[:number]:
            raise UserError(f"mixtures.{where}: {language!r} is given twice; name each language once")
        if language not in train:
            raise UserError(
                f"mixtures.{where}: {language!r} is not in languages.train{nearest(language, train)}. "
                f"Allowed: {', '.join(train)}"
            )
    return list(languages)
