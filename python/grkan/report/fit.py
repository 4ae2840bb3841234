# SPDX-License-Identifier: Apache-2.0
"""The command python3 -m grkan.report.fit: a fit of `grkan fit --json` as a drawing.

Above, what is approximated and the fit; below, what the fit is off.
"""

import argparse
import sys

import numpy

from .. import _output
from .._arrays import forward
from .._errors import Error
from .._fit import function_values
from . import documents, plots
from .__main__ import printable

SAMPLES = 1201
LARGEST = 1e300  # of what is drawn: Matplotlib's axes reach beyond it


def _fitted(content, x):
    """The fit's values: the cpu's own forward in f64."""
    numerator, denominator = ([content[name]] for name in ("numerator", "denominator"))
    return forward(x.reshape(-1, 1), numpy.array(numerator, "f8"), numpy.array(denominator, "f8").reshape(1, -1),
                   form=content["form"]).ravel()


def _check_size(*drawn):
    if any(numpy.abs(one[numpy.isfinite(one)]).max(initial=0) > LARGEST for one in drawn):
        raise documents.BadDocument(f"holds or gives numbers above {LARGEST:g}, which are not drawn")


def curves(content):
    """What is drawn of a document: x and the fit there, and as pairs of x and y the target and the error."""
    x = numpy.linspace(*map(float, content["range"]), SAMPLES)
    fit = _fitted(content, x)
    if "function" in content:
        target = function_values(content["function"], x)
        return x, fit, (x, target), (x, fit - target)
    own_x, own_y = (numpy.array(content[name], "f8") for name in ("x", "y"))
    if own_x.shape != own_y.shape:
        raise documents.BadDocument(f"has {len(own_x)} x and {len(own_y)} y")
    return x, fit, (own_x, own_y), (own_x, _fitted(content, own_x) - own_y)


@plots.styled
def to_svg(content):
    """The drawing of a document."""
    x, fit, target, error = curves(content)
    _check_size(x, fit, *target, *error)
    name = plots.plain_text(content.get("function") or content["points"])
    largest = content["f32" if "preset" in content else "f64"]
    is_function = "function" in content
    figure, (above, below) = plots.make_panels(2, height=3.6, columns=1, sharex=True)
    above.plot(*target, *([] if is_function else ["o"]), color="#bbbbbb", linewidth=6, markersize=5, label=name)
    above.plot(x, fit, color=plots.colour(0), label="preset" if "preset" in content else "fit")
    below.plot(*error, *([] if is_function else ["o"]), color=plots.colour(1), linewidth=1.5, markersize=5)
    degrees = ", ".join(map(str, content["degrees"]))
    above.set_title(f"{name} by {plots.plain_text(content['form'])}, degrees ({degrees})")
    below.set_title("error: at most " + (f"{largest['error']:.3g}, at x = {largest['x']:.4g}"
                                         if None not in largest.values() else "unknown"))
    return plots.make_svg(figure, [above])


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python3 -m grkan.report.fit", description="Draw function, fit and error of a file of `grkan fit --json`.",
        epilog="Exit status: 0 good; 1 the file could not be read or drawn, or the drawing not written; 2 bad usage.")
    parser.add_argument("file", metavar="FILE", help="written by grkan fit --json; - is the standard input")
    parser.add_argument("-o", "--output", metavar="FILE.svg", default="-", help="the standard output without it")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = _parse(arguments)
    path, reason = options.output, None
    try:
        _output.check(options.output)
        path = options.file
        text = to_svg(documents.read_content(options.file, documents.FIT_SCHEMA))
        path = options.output
        _output.write(options.output, text)
    except OSError as error:
        reason = error.strerror or str(error)
    except (documents.BadDocument, Error) as error:
        reason = str(error)
    if reason is not None:
        print(f"grkan.report.fit: {printable(f'{path}: {reason}')}", file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main())
