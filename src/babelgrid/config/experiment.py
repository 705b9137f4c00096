"""One experiment: all its settings, checked against each other."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from babelgrid.config.analysis import Exposure, Intervention, Plan, Score, View
from babelgrid.config.api import Api
from babelgrid.config.base import Base
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
from babelgrid.errors import nearest
from babelgrid.spelling import fold


class LanguagesOfGrid(Settings):
    """The languages of the grid."""

    train: Annotated[list[Language], Once] = Field(min_length=1)
    """Languages that mixtures are made of, in the order that files keep."""
    test: Annotated[list[Language], Once, Field(min_length=1)] | None = None
    """Languages that every adapter is tested on; null takes the train languages."""
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
    """One config file (or several, merged): everything it makes is under `results/<experiment>/`."""

    experiment: PathName
    """Name of the experiment and of its results folder: unaccented letters, digits, `.`, `_` and `-`, at most 80."""
    seed: Seed = 1
    """Seed of everything that is drawn once for the whole experiment: the split, the lab."""
    seeds: Annotated[list[Seed], Once] = Field(default=[0, 1], min_length=1)
    """One adapter per mixture for each of these: they draw the sample of posts, the initial weights and the order."""
    languages: LanguagesOfGrid
    """The languages of the grid."""
    labels: dict[LabelName, Label] = Field(min_length=2)
    """The labels, in order."""
    views: Annotated[dict[PathName, View], OnceAsSpelled] = Field(default={})
    """Questions asked of the same predictions: classes, and the labels in each. Empty: one view, `label`.
    A view's name is a part of file names."""
    posts: Posts | None = None
    """Where labelled posts come from. Needed, unless predictions are imported."""
    base: Base | None = None
    """The pre-trained model that every adapter starts from. Needed, unless predictions are imported."""
    predictions: Predictions | None = None
    """Predictions made elsewhere, instead of posts and a base: no model is trained or run."""
    prompt: Prompt = Prompt()
    """The words around a post."""
    mixtures: Mixtures = Mixtures()
    """The rows of the grid."""
    finetune: Finetune = Finetune()
    """How one adapter is trained."""
    predict: Predict = Predict()
    """How test posts are scored."""
    api: Api | None = None
    """An endpoint that is asked the same test posts, as one more row of the grid. Off unless it is there."""
    cost: Cost = Cost()
    """What the ledger of costs is reckoned with."""
    classify: Classify | None = None
    """An archive of posts without labels, for the target `classify`."""
    release: Release | None = None
    """Adapters that are made ready for others, for the target `release`."""
    score: Score = Score()
    """How cells are scored."""
    exposure: Exposure = Exposure()
    """What is known about the base's pre-training."""
    intervention: Intervention | None = None
    """The experiment on another base that the target `intervention` sets this one against."""
    plan: Plan | None = None
    """The budget that the targets `plan` and `check_plan` are about."""
    figures: Figures = Figures()
    """How figures are drawn."""
    report: Report = Report()
    """What the report shows."""
    machine: Machine = Machine()
    """What jobs run on."""

    @model_validator(mode="after")
    def _make_predictions_or_import_them(self) -> Self:
        if self.predictions is None:
            missing = [name for name in ("posts", "base") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"{' and '.join(missing)}: needed, unless predictions.import is there")
            return self
        if self.classify or self.api or self.release:
            raise ValueError("classify, api and release need posts and a base: they do not go with predictions.import")
        if self.posts or self.base:
            raise ValueError("predictions.import stands instead of posts and base; take them out (null in an overlay)")
        if self.predictions.imported.columns.seed is None and len(self.seeds) > 1:
            raise ValueError(
                f"seeds: the predictions have no column of seeds (predictions.import.columns.seed), so one run: write "
                f"seeds: [{self.seeds[0]}]"
            )
        probabilities = self.predictions.imported.probabilities
        if probabilities and set(probabilities) != set(self.labels):
            raise ValueError(
                f"predictions.import.probabilities: needs a column for each of {', '.join(self.labels)}; "
                f"found {', '.join(probabilities)}"
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
            raise ValueError(f"views.{view}: a label may stand in one class only; found {named}")

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
                raise ValueError(f"predictions.import.failures: one of them is a spelling of the label {name!r}")
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
                    f"views: gain_matrix_{view} would be the gain of the view 'matrix_{view}' and the gain matrix of "
                    f"{view!r}; rename one of the two views"
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
            raise ValueError(f"api.examples: {self.api.examples!r} is no train language. Allowed: {allowed}")
        return self

    @model_validator(mode="after")
    def _have_a_template_for_each_language(self) -> Self:
        if self.prompt.language == "native" and isinstance(self.prompt.template, dict):
            missing = sorted({*self.languages.train, *self.test_languages} - set(self.prompt.template))
            if missing:
                raise ValueError(f"prompt.template: language: native needs templates for {', '.join(missing)} too")
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
        """The languages that every adapter is tested on."""
        return self.languages.test or self.languages.train

    @property
    def effective_views(self) -> dict[str, View]:
        """The declared views, or one view with a class for each label."""
        return self.views or {"label": {label: [label] for label in self.labels}}
