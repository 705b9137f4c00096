"""Define the charts of the page in Vega-Lite; the page's script adds their points and updates them on a toggle."""

from typing import Any

import altair as alt

from babelgrid.figures.style import SEEN_COLOUR, UNSEEN_COLOUR

Spec = dict[str, Any]

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The Vega-Lite version that the specifications are written for."""
_HELD = ["in the mixture", "not in it"]
_SEEN = alt.Scale(domain=_HELD, range=[SEEN_COLOUR, UNSEEN_COLOUR])
_LEGEND = alt.Legend(orient="top", symbolOpacity=1)
_SHAPES = alt.Scale(domain=_HELD, range=["circle", "diamond"])


def _exposure_chart() -> Spec:
    """Return the chart of each test language's score in one mixture against its pre-training exposure."""
    base = alt.Chart(alt.NamedData(name="points")).encode(
        x=alt.X("exposure:Q", scale=alt.Scale(type="log"), title="pre-training exposure (log scale)"),
        color=alt.Color("held:N", scale=_SEEN, title=None, legend=_LEGEND),
        tooltip=[
            alt.Tooltip("language:N"),
            alt.Tooltip("score:Q", format=".3f"),
            alt.Tooltip("low:Q", format=".3f"),
            alt.Tooltip("high:Q", format=".3f"),
            alt.Tooltip("exposure:Q", format=".3~g"),
        ],
    )
    y = alt.Y("score:Q", title="score", scale=alt.Scale(zero=False))
    layers = alt.layer(
        base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title="score", scale=alt.Scale(zero=False)), y2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            y=y, shape=alt.Shape("held:N", scale=_SHAPES, title=None, legend=_LEGEND)
        ),
        base.mark_text(align="left", dx=6, dy=-5, fontSize=11).encode(y=y, text="code:N"),
    )
    return _finished(layers, "Score of each test language against its pre-training exposure")


def _dose_chart() -> Spec:
    """Return the chart of the score in a language against the number of its posts in the mixture."""
    lines = (
        alt.Chart(alt.NamedData(name="points"))
        .mark_line(point=True)
        .encode(
            x=alt.X("dose:Q", title="posts of that language in the mixture", scale=alt.Scale(type="symlog")),
            y=alt.Y("score:Q", title="score", scale=alt.Scale(zero=False)),
            color=alt.Color("series:N", title=None, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("series:N", title=None),
            tooltip=[alt.Tooltip("mixture:N"), alt.Tooltip("dose:Q"), alt.Tooltip("score:Q", format=".3f")],
        )
    )
    return _finished(lines, "Score in a language against its posts in the mixture")


def _finished(chart: Any, description: str) -> Spec:
    spec: Spec = (
        chart.properties(width="container", height=320, description=description)
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e6e6e6", labelColor="#222222", titleFontWeight="normal")
    ).to_dict(context={"pre_transform": False})
    return spec


CHARTS: dict[str, Spec] = {"exposure": _exposure_chart(), "doses": _dose_chart()}
