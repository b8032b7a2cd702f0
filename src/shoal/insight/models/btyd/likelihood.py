"""Maximum likelihood over parameters that are above 0, with what is needed to trust the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    # Parameters to the log-likelihood and its gradient in them.
    Likelihood = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]
    Loss = Likelihood

# A parameter beyond e^±BOUND says that the model has collapsed into a simpler one.
BOUND = 13.0
# How much log-likelihood may still be to gain.
GAIN = 1e-5
STEP = 1e-4


def dot(weight: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The weighted sum, on the thread that asks.

    The product of the linear algebra library would wake its threads for each, which wait for one another by spinning: on a
    busy machine a fit cost twice its work.
    """
    return float(np.einsum("i,i->", weight, values))


@dataclass(frozen=True)
class Fit:
    """How a model was fitted.

    Attributes:
        parameters: estimates by name.
        errors: standard errors by name, from the observed information; empty where that can't be inverted.
        log_likelihood: at the estimates, of all customers.
        n: customers.
        rows: different histories among them.
        converged: whether this is a maximum.
        reason: one sentence: why it is taken for a maximum, or why not.
        covariance: of the logarithms of the parameters, in the order of ``parameters``; None as for ``errors``.
        warnings: what a reader should know before relying on it.
    """

    parameters: dict[str, float]
    errors: dict[str, float]
    log_likelihood: float
    n: int
    rows: int
    converged: bool
    reason: str
    covariance: NDArray[np.float64] | None = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()

    @property
    def values(self) -> NDArray[np.float64]:
        """The estimates as a row."""
        return np.array(list(self.parameters.values()))


def maximise(
    likelihood: Likelihood,
    names: Sequence[str],
    starts: Sequence[Sequence[float]],
    *,
    n: int,
    rows: int,
    warnings: tuple[str, ...] = (),
) -> Fit:
    """The parameters of the greatest likelihood.

    The search is over logarithms, by quasi-Newton steps on the mean log-likelihood, ended by Newton steps. A further start
    is tried only where the one before didn't end in a maximum.

    Args:
        likelihood: the log-likelihood of all customers and its gradient in the parameters.
        names: the parameters.
        starts: where to begin, the most likely start first.
        n: customers.
        rows: different histories.
        warnings: handed on.
    """
    best: Fit | None = None
    for start in starts:
        found = _climb(likelihood, names, np.log(np.asarray(start, dtype=np.float64)), n, rows, warnings)
        if (
            best is None
            or found.log_likelihood > best.log_likelihood + GAIN
            or (found.converged and not best.converged)
        ):
            best = found
        if best.converged:
            break
    assert best is not None
    return best


def _climb(
    likelihood: Likelihood,
    names: Sequence[str],
    start: NDArray[np.float64],
    n: int,
    rows: int,
    warnings: tuple[str, ...],
) -> Fit:
    def loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        height, gradient = likelihood(np.exp(logs))
        if not np.isfinite(height) or not np.all(np.isfinite(gradient)):
            return 1e12, np.zeros_like(logs)
        return -height / n, -gradient * np.exp(logs) / n

    logs, value, gradient = _descend(loss, start)
    curve = _curvature(loss, logs)
    left = np.inf
    for _ in range(8):
        spectrum = np.linalg.eigvalsh(curve)
        if spectrum[0] <= 1e-12 * max(1.0, spectrum[-1]):
            break
        step = np.linalg.solve(curve, gradient)
        left = n * float(gradient @ step) / 2
        if left < GAIN / 100:
            break
        trial = np.clip(logs - step, -BOUND, BOUND)
        height, slope = loss(trial)
        if height > value:
            break
        far = float(np.max(np.abs(trial - logs))) > 0.01
        logs, value, gradient = trial, height, slope
        if far:
            curve = _curvature(loss, logs)
    converged, reason = _verdict(names, logs, curve, left)
    covariance = None
    errors: dict[str, float] = {}
    if converged:
        covariance = np.linalg.inv(curve) / n
        spread = np.exp(logs) * np.sqrt(np.diag(covariance))
        errors = {name: float(error) for name, error in zip(names, spread, strict=True)}
    parameters = {name: float(number) for name, number in zip(names, np.exp(logs), strict=True)}
    return Fit(parameters, errors, float(-value * n), n, rows, converged, reason, covariance, warnings)


def _descend(loss: Loss, start: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """BFGS with halved steps, for a handful of parameters.

    The search of scipy does its little algebra with the threads of a library; on a busy machine most of a fit was waiting.
    """
    logs = start
    value, gradient = loss(logs)
    size = len(logs)
    inverse = np.eye(size)
    for _ in range(300):
        step = -inverse @ gradient
        step *= min(1.0, 1.0 / max(float(np.max(np.abs(step))), 1e-300))
        slope = float(gradient @ step)
        for _ in range(30):
            trial = np.clip(logs + step, -BOUND, BOUND)
            height, rise = loss(trial)
            if height <= value + 1e-4 * slope:
                break
            step, slope = step / 2, slope / 2
        else:
            return logs, value, gradient
        moved, bent = trial - logs, rise - gradient
        done = value - height <= 1e-13 * max(1.0, abs(value))
        logs, value, gradient = trial, height, rise
        if done or float(np.max(np.abs(gradient))) < 1e-8:
            break
        along = float(moved @ bent)
        if along > 1e-16:
            turn = np.eye(size) - np.outer(moved, bent) / along
            inverse = turn @ inverse @ turn.T + np.outer(moved, moved) / along
    return logs, value, gradient


def _verdict(
    names: Sequence[str], logs: NDArray[np.float64], curve: NDArray[np.float64], left: float
) -> tuple[bool, str]:
    far = [name for name, place in zip(names, logs, strict=True) if abs(place) > BOUND - 1]
    if far:
        return False, f"{' and '.join(far)} ran to the edge: the data can't tell how customers differ in this."
    spectrum = np.linalg.eigvalsh(curve)
    if spectrum[0] <= 1e-12 * max(1.0, spectrum[-1]):
        return False, "The likelihood is flat here: more than one set of parameters says the same."
    if left >= GAIN:
        return False, f"The search ended with {left:.2g} of log-likelihood still to gain."
    return True, f"A maximum: less than {GAIN:g} of log-likelihood is left to gain, and it falls on all sides."


def _curvature(loss: Loss, logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The second derivatives, as central differences of the exact first ones."""
    columns = []
    for place in range(len(logs)):
        step = np.zeros_like(logs)
        step[place] = STEP
        columns.append((loss(logs + step)[1] - loss(logs - step)[1]) / (2 * STEP))
    curve = np.array(columns)
    return (curve + curve.T) / 2
