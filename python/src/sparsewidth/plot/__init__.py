"""The program's charts, drawn with matplotlib for a paper.

Each function takes records - lists of dicts, as the functions of ``sparsewidth`` return them and ``load_records`` reads
them - or the report of ``optimum``, ``verify`` and the like, and returns the axes that it drew on:

=======================================================  ==============================================
chart of the program                                     function
=======================================================  ==============================================
``distance``: mean or median distance against width      :func:`distance`
``distance-parts``: bias^2 and variance / n              :func:`bias_and_variance`
``accuracy``: accuracy of trained networks               :func:`training`
``curves``: losses against epoch                         :func:`curves`
``prediction``: predicted and trained test error         :func:`predictions`
``regret``: what a predictor's choice of width costs     :func:`regret`
``optimum``: by distance, or by predicted error          :func:`optimum`
``verify-z``, ``verify-values``, ``verify-paper``        :func:`verification`, by ``show``
``masks``: distance of given masks against density       :func:`masks`
``budget``: the weights that each layer keeps            :func:`budget`
``heatmap``: accuracy over two connectivities            :func:`heatmap`
``tune``: validation error against learning rate         :func:`tune`
``widen``, ``widen-distance``: ways to widen             :func:`widen`, by ``show``
=======================================================  ==============================================

Pictures are as wide as a column (3.3 inches) or a page (6.75 inches), by ``width``, or as many inches as a number says;
type is of 7 and 8 points. With ``ax``, a function draws on the given axes: legend and notes go below it, for which a
figure of your own wants ``layout="constrained"``, which makes room. The title says what a caption should;
``ax.set_title("", loc="left")`` removes it.

Colours belong to methods and are those of the program. Error bars are 95 % intervals where nothing else is said. A
point whose interval is not known - of one run, or of too few draws - is hollow, and the legend says so.
Outliers that would compress the scale are left off, and listed below the chart.
"""

try:
    from ._distances import bias_and_variance, distance
    from ._masks import budget, masks
    from ._predictions import predictions, regret
    from ._searches import heatmap, tune
    from ._theory import optimum, verification
    from ._training import curves, training
    from ._widening import widen
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "matplotlib":
        raise
    raise ImportError("sparsewidth.plot needs matplotlib: pip install matplotlib") from error

__all__ = [
    "bias_and_variance",
    "budget",
    "curves",
    "distance",
    "heatmap",
    "masks",
    "optimum",
    "predictions",
    "regret",
    "training",
    "tune",
    "verification",
    "widen",
]
