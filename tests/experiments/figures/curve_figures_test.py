"""Success plots by attribute, and the plots of a whole data set."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from experiments.figures import curve_figures, figure_style
from experiments.scoring import protocols


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def axes_of(figure, start):
    (found,) = (axes for axes in figure.axes if axes.get_title().startswith(start))
    return found


def test_panels_are_overall_and_the_eight_attributes(compare):
    found = {panel.title: panel for panel in curve_figures.panels(compare())}
    assert list(found) == ["Overall", *curve_figures.ATTRIBUTES.values()] and len(found) == 9
    assert found["Occlusion"].targets == ("Basketball", "Jogging-1", "Jogging-2")
    assert found["Low resolution"].targets == ("Deer",)
    assert found["Scale variation"].targets == ()
    assert (found["Overall"].total, found["Occlusion"].total) == (100, 48)


def test_own_folder_has_one_panel(compare, otb_runs):
    compared = compare(dataset=None, layout="otb")
    assert [panel.title for panel in curve_figures.panels(compared)] == ["Overall"]
    figure = curve_figures.draw_by_attribute(compared)
    assert len(figure.axes) == 1 and figure.axes[0].get_title() == "Overall (4)"
    assert figure.get_suptitle() == "OTB: success of one-pass evaluation\nall 4 targets"


def test_figure_4(compare):
    compared = compare()
    figure = curve_figures.draw_by_attribute(compared)
    assert len(figure.axes) == 9
    assert figure.get_suptitle().endswith("PARTIAL: 4 of 100 targets, those that all 3 trackers shown have a result of")
    overall = axes_of(figure, "Overall (4 of 100)")
    assert legend_of(overall) == ["0.952  MLT", "0.516  Newcomer", "0.079  DSST"]
    curves = [line for line in overall.lines if len(line.get_xdata()) == 21]
    assert len(curves) == 3
    np.testing.assert_allclose(curves[0].get_ydata(), compared.scores["mlt"].success_curve)
    np.testing.assert_allclose(curves[0].get_xdata(), protocols.THRESHOLDS_21)
    assert to_hex(curves[0].get_color()) == "#ff0000" and curves[0].get_linewidth() > curves[1].get_linewidth()


def test_panel_is_of_its_targets_alone(compare):
    compared = compare()
    scores = compared.scores["DSST"]
    sequences = dict(scores.sequences) | {"Deer": scores.sequences["Deer"]._replace(success_curve=np.full(21, 0.5))}
    compared = compared._replace(scores=compared.scores | {"DSST": scores._replace(sequences=sequences)})
    figure = curve_figures.draw_by_attribute(compared)
    assert "0.500  DSST" in legend_of(axes_of(figure, "Low resolution (1 of 9)"))
    assert "0.079  DSST" in legend_of(axes_of(figure, "Occlusion (3 of 48)"))


def test_panel_without_targets_says_so(compare):
    axes = axes_of(curve_figures.draw_by_attribute(compare()), "Scale variation (0 of 63)")
    assert axes.get_legend() is None and not axes.lines
    assert [text.get_text() for text in axes.texts] == ["none of the targets shown"]


def test_one_tracker(compare):
    assert curve_figures.which_targets(compare(trackers="mlt")) == ("PARTIAL: 4 of 100 targets, those with a result")


def test_precision_plot_ranks_by_precision(compare):
    compared = compare()
    axes = curve_figures.draw_precision(compared).axes[0]
    assert legend_of(axes)[0] == "1.000  MLT" and axes.get_legend().get_title().get_text() == "at 20 px"
    for label, line in ((line.get_label(), line) for line in axes.lines if len(line.get_xdata()) == 51):
        assert float(label.split()[0]) == pytest.approx(line.get_ydata()[20], abs=6e-4)


def test_precision_by_attribute_is_of_its_targets_alone(compare):
    compared = compare()
    curves = compared.precision_curves["DSST"] | {"Deer": np.linspace(0, 0.5, 51)}
    compared = compared._replace(precision_curves=compared.precision_curves | {"DSST": curves})
    figure = curve_figures.draw_by_attribute(compared, kind="precision")
    assert len(figure.axes) == 9 and figure.get_suptitle().startswith("OTB-2015: precision of")

    def curve_of(axes):
        (line,) = (line for line in axes.lines if line.get_label().endswith("DSST"))
        return line.get_ydata()

    np.testing.assert_allclose(curve_of(axes_of(figure, "Low resolution")), curves["Deer"])
    others = [curves[name] for name in ("Basketball", "Jogging-1", "Jogging-2")]
    np.testing.assert_allclose(curve_of(axes_of(figure, "Occlusion")), np.mean(others, 0))


@pytest.mark.parametrize(("page", "columns"), [("column", 1), ("page", 2), (None, 2)])
def test_precision_is_beside_success(compare, page, columns):
    figure = curve_figures.draw_overall(compare(), figure_style.PAGES.get(page, figure_style.SCREEN))
    assert [axes.get_title() for axes in figure.axes] == ["Success", "Precision"]
    assert figure.axes[0].get_gridspec().ncols == columns
    assert legend_of(figure.axes[1])[0] == "1.000  MLT"
    if page:
        assert figure.get_figwidth() == figure_style.PAGES[page].width
        figure.draw_without_rendering()
        right = max(axes.get_tightbbox().x1 for axes in figure.axes)  # With its legend.
        assert right <= figure.bbox.x1 + 1


def test_curves_differ_without_colour(compare):
    axes = curve_figures.draw_success(compare()).axes[0]
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 3


def test_success_plot(compare):
    axes = curve_figures.draw_success(compare()).axes[0]
    assert axes.get_title() == "Success, OTB-2015 (4 of 100)"
    assert legend_of(axes) == ["0.952  MLT", "0.516  Newcomer", "0.079  DSST"]
