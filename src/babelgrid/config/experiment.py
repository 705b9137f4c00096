"""All settings of an experiment, checked against each other."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from babelgrid.config.analysis import Exposure, Intervention, Plan, Score, View
from babelgrid.config.api import Api
from babelgrid.config.base import LAB_LANGUAGES, Base
from babelgrid.config.classify import Classify
from babelgrid.config.cost import Cost
from babelgrid.config.fields import (
    LabelName,
    Language,
    Once,
    OnceAsSpelled,
    PathName,
    Seed,
    Settings,
    Text,
    named_columns,
    refuse_twice,
)
from babelgrid.config.finetune import Finetune, Predict
from babelgrid.config.machine import Machine
from babelgrid.config.mixtures import Mixtures
from babelgrid.config.posts import Posts
from babelgrid.config.predictions import Predictions
from babelgrid.config.prompt import Label, Prompt
from babelgrid.config.release import Release
from babelgrid.config.report import Figures, Report
from babelgrid.config.rivals import Rivals, Translate
from babelgrid.errors import nearest
from babelgrid.spelling import fold


class LanguagesOfGrid(Settings):
    """The languages of the grid."""

    train: Annotated[list[Language], Once] = Field(min_length=1)
    """Languages that mixtures are made of; files keep this order."""
    test: Annotated[list[Language], Once, Field(min_length=1)] | None = None
    """Languages that every adapter is tested on; null uses the train languages."""
    aliases: dict[Text, Language] = Field(default={})
    """Codes that the data uses for a language, e.g. `in: id`."""

    @field_validator("aliases")
    @classmethod
    def _explain_each_code_once(cls, aliases: dict[str, str]) -> dict[str, str]:
        meanings: dict[str, str] = {}
        for code, language in aliases.items():
            if meanings.setdefault(fold(code), language) != language:
                raise ValueError(f"{code!r} stands for {meanings[fold(code)]!r} and for {language!r}; keep one of them")
        return aliases


class Experiment(Settings):
    """One config file (or several, merged); all results are written to `results/<experiment>/`."""

    experiment: PathName
    """Name of the experiment and its results folder: at most 80 unaccented letters, digits, `.`, `_` and `-`."""
    seed: Seed = 1
    """Seed of everything that is drawn once for the whole experiment: the split and the lab."""
    seeds: Annotated[list[Seed], Once] = Field(default=[0, 1], min_length=1)
    """Train one adapter per mixture and seed. A seed draws the sample of posts, the initial weights and the order."""
    languages: LanguagesOfGrid
    """The languages of the grid."""
    labels: dict[LabelName, Label] = Field(min_length=2)
    """The labels, in order."""
    views: Annotated[dict[PathName, View], OnceAsSpelled] = Field(default={})
    """Views of the same predictions: classes, and the labels in each. Empty: one view, `label`.
    A view's name becomes part of file names."""
    posts: Posts | None = None
    """Where labelled posts come from. Required unless predictions are imported."""
    base: Base | None = None
    """The pre-trained model that every adapter starts from. Required unless predictions are imported."""
    predictions: Predictions | None = None
    """Predictions made elsewhere, instead of posts and a base: no model is trained or run."""
    prompt: Prompt = Prompt()
    """The instruction around a post."""
    mixtures: Mixtures = Mixtures()
    """The rows of the grid."""
    finetune: Finetune = Finetune()
    """How each adapter is trained."""
    predict: Predict = Predict()
    """How test posts are scored."""
    api: Api | None = None
    """An endpoint that answers the same test posts, as additional rows of the grid. Null: no such rows."""
    rivals: Rivals | None = None
    """Other systems that learn from the same posts, as additional rows of the grid. Null: no such rows."""
    cost: Cost = Cost()
    """Prices and power draw for the cost ledger."""
    classify: Classify | None = None
    """An archive of posts without labels, for the target `classify`."""
    release: Release | None = None
    """Adapters to prepare for publication, for the target `release`."""
    score: Score = Score()
    """How cells are scored."""
    exposure: Exposure = Exposure()
    """What is known about the base's pre-training data."""
    intervention: Intervention | None = None
    """Experiment on another base to compare with, for the target `intervention`."""
    plan: Plan | None = None
    """Labelling budget, for the targets `plan` and `check_plan`."""
    figures: Figures = Figures()
    """How figures are drawn."""
    report: Report = Report()
    """What the report shows."""
    machine: Machine = Machine()
    """The machine that jobs run on."""

    @model_validator(mode="after")
    def _make_predictions_or_import_them(self) -> Self:
        if self.predictions is None:
            missing = [name for name in ("posts", "base") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"{' and '.join(missing)}: required unless predictions.import is given")
            return self
        if self.classify or self.api or self.release or self.rivals:
            raise ValueError(
                "classify, api, release and rivals need posts and a base: they cannot go with predictions.import"
            )
        if self.posts or self.base:
            raise ValueError("predictions.import is used instead of posts and base; remove them (null in an overlay)")
        if self.predictions.imported.columns.seed is None and len(self.seeds) > 1:
            raise ValueError(
                f"seeds: the predictions have no seed column (predictions.import.columns.seed), so there is one run: "
                f"write seeds: [{self.seeds[0]}]"
            )
        probabilities = self.predictions.imported.probabilities
        if probabilities and set(probabilities) != set(self.labels):
            raise ValueError(
                f"predictions.import.probabilities: needs a column for each of {', '.join(self.labels)}; "
                f"found {', '.join(probabilities)}"
            )
        return self

    @model_validator(mode="after")
    def _pretrain_encoder_beside_the_labs_base(self) -> Self:
        for system in self.rivals.encoders if self.rivals else ():
            if getattr(self.rivals, system).lab and not (self.base and self.base.lab):
                raise ValueError(
                    f"rivals.{system}.lab: the encoder reads the stream of the lab's base, so it needs base.lab; for "
                    "another encoder, set folder or hub"
                )
        return self

    @model_validator(mode="after")
    def _find_translations(self) -> Self:
        translate = self.translate
        if translate is None or self.posts is None:
            return self
        if translate.lab != bool(self.posts.lab):
            raise ValueError(
                "rivals.translate: the lab writes its translations itself; use lab: true instead of column"
                if self.posts.lab
                else "rivals.translate.lab: only the lab's posts have such translations, so it needs posts.lab; for "
                "other posts, set column"
            )
        if translate.lab and translate.pivot not in LAB_LANGUAGES:
            raise ValueError(
                f"rivals.translate.pivot: the lab has no lexicon for {translate.pivot!r}. Allowed: "
                f"{', '.join(LAB_LANGUAGES)}"
            )
        for role, name in named_columns(self.posts.columns).items():
            if name == translate.column:
                raise ValueError(
                    f"rivals.translate.column: {name!r} is already the column of posts.columns.{role}; name the column "
                    "of translations"
                )
        return self

    @model_validator(mode="after")
    def _build_views_of_known_labels(self) -> Self:
        for view, classes in self.views.items():
            self._check_view(view, classes)
        return self

    def _check_view(self, view: str, classes: View) -> None:
        if len(classes) < 2:
            raise ValueError(f"views.{view}: a view needs at least two classes; found {list(classes)}")
        named = [label for labels in classes.values() for label in labels]
        for label in named:
            if label not in self.labels:
                raise ValueError(
                    f"views.{view}: {label!r} is not a label{nearest(label, self.labels)}. "
                    f"Allowed: {', '.join(self.labels)}"
                )
        if len(set(named)) != len(named):
            raise ValueError(f"views.{view}: a label may be in one class only; found {named}")

    @model_validator(mode="after")
    def _oppose_two_classes_of_a_view(self) -> Self:
        views = self.effective_views
        for view, pair in self.score.opposites.items():
            if view not in views:
                raise ValueError(
                    f"score.opposites: there is no view {view!r}{nearest(view, views)}. Allowed: {', '.join(views)}"
                )
            if len(set(pair)) != 2 or len(pair) != 2 or not set(pair) <= set(views[view]):
                raise ValueError(
                    f"score.opposites.{view}: name two different classes of {', '.join(views[view])}; found {pair}"
                )
        return self

    @model_validator(mode="after")
    def _plan_for_a_view(self) -> Self:
        if self.plan and self.plan.view and self.plan.view not in self.effective_views:
            raise ValueError(
                f"plan.view: there is no view {self.plan.view!r}{nearest(self.plan.view, self.effective_views)}. "
                f"Allowed: {', '.join(self.effective_views)}"
            )
        return self

    @model_validator(mode="after")
    def _spell_each_label_once(self) -> Self:
        seen: dict[str, str] = {}
        for name, label in self.labels.items():
            for spelling in {name, *label.aliases}:
                key = fold(spelling)
                if seen.setdefault(key, name) != name:
                    raise ValueError(f"labels: the spelling {spelling!r} belongs to both {seen[key]!r} and {name!r}")
        return self

    @model_validator(mode="after")
    def _take_no_label_for_a_failure(self) -> Self:
        failures = {fold(value) for value in self.predictions.imported.failures} if self.predictions else set()
        for name, label in self.labels.items():
            if failures & {fold(spelling) for spelling in (name, *label.aliases)}:
                raise ValueError(f"predictions.import.failures: one of the values is a spelling of the label {name!r}")
        return self

    @model_validator(mode="after")
    def _answer_with_each_label_once(self) -> Self:
        answers: dict[str, str] = {}
        for name, label in self.labels.items():
            if answers.setdefault(fold(label.answer), name) != name:
                first = answers[fold(label.answer)]
                raise ValueError(f"labels: {first!r} and {name!r} have the same answer {label.answer!r}")
        return self

    @model_validator(mode="after")
    def _name_mixtures_unlike_languages(self) -> Self:
        languages = {code.casefold(): code for code in (*self.languages.train, *self.test_languages)}
        for block in ("sets", "allocations"):
            for name in getattr(self.mixtures, block):
                if name.casefold() in languages:
                    raise ValueError(f"mixtures.{block}: the name {name!r} is taken by a language; choose another name")
        return self

    @model_validator(mode="after")
    def _draw_each_figure_for_one_view(self) -> Self:
        for view in self.views:
            if f"matrix_{view}" in self.views:
                raise ValueError(
                    f"views: gain_matrix_{view} would be both the gain of the view 'matrix_{view}' and the gain matrix "
                    f"of {view!r}; rename one of the two views"
                )
        return self

    @model_validator(mode="after")
    def _release_each_row_once(self) -> Self:
        names = self.release.adapters if self.release else []
        refuse_twice([name if "/seed" in name else f"{name}/seed{self.seeds[0]}" for name in names])
        return self

    @model_validator(mode="after")
    def _take_examples_of_a_train_language(self) -> Self:
        if self.api and self.api.examples not in {"own", *self.languages.train}:
            allowed = ", ".join(["own", *self.languages.train])
            raise ValueError(f"api.examples: {self.api.examples!r} is not a train language. Allowed: {allowed}")
        return self

    @model_validator(mode="after")
    def _have_a_template_for_each_language(self) -> Self:
        if self.prompt.language == "native" and isinstance(self.prompt.template, dict):
            pivot = {self.translate.pivot} if self.translate else set()
            missing = sorted({*self.languages.train, *self.test_languages, *pivot} - set(self.prompt.template))
            if missing:
                raise ValueError(f"prompt.template: language: native also needs templates for {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _divide_the_batch(self) -> Self:
        micro = self.finetune.micro_batch_size
        if micro and self.finetune.batch_size % micro:
            raise ValueError(
                f"finetune.micro_batch_size ({micro}) must divide finetune.batch_size ({self.finetune.batch_size})"
            )
        return self

    @property
    def test_languages(self) -> list[str]:
        """Return the languages that every adapter is tested on."""
        return self.languages.test or self.languages.train

    @property
    def translate(self) -> Translate | None:
        """Return the settings of rows that read translated posts, if there are such rows."""
        return self.rivals.translate if self.rivals else None

    @property
    def effective_views(self) -> dict[str, View]:
        """Return the declared views, or one view with a class for each label."""
        return self.views or {"label": {label: [label] for label in self.labels}}
