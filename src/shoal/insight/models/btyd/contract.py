"""sBG: how long customers under a contract stay, when each renewal is a toss of their own coin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from shoal.insight.models.btyd.likelihood import maximise
from shoal.insight.models.btyd.refusals import USUAL, Needs, refuse_unless
from shoal.wording import noun

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.models.btyd.likelihood import Fit


@dataclass(frozen=True)
class ShiftedBetaGeometric:
    """sBG (Fader and Hardie 2007, doi 10.1002/dir.20074).

    A customer doesn't renew with a probability of their own, which is beta(``alpha``, ``beta``) over customers. Time is in
    periods of the contract.
    """

    alpha: float
    beta: float
    fit: Fit | None = field(default=None, compare=False, repr=False)

    name = "sBG"

    @classmethod
    def fitted(cls, lost: ArrayLike, active: ArrayLike, needs: Needs = USUAL) -> Self:
        """Fit by maximum likelihood.

        Args:
            lost: customers who left at the end of their period 1, 2, …
            active: customers who are here after 1, 2, … renewals and whose next one lies ahead; for one cohort that has
                been watched for n periods all are in the last place.
            needs: the fewest customers, and the fewest of them who left.

        Raises:
            Refused: too few customers, nobody left, everybody left at once, or numbers that can't be.
        """
        gone, here = np.asarray(lost, dtype=np.float64), np.asarray(active, dtype=np.float64)
        fix = "Give the customers who left, and those who stay, for each number of periods."
        refuse_unless(gone.ndim == 1 and gone.shape == here.shape and gone.size > 0, "Rows don't match.", fix)
        counts = np.concatenate([gone, here])
        refuse_unless(bool(np.all(np.isfinite(counts)) and np.all(counts >= 0)), "Numbers of customers below 0.", fix)
        size = float(counts.sum())
        refuse_unless(
            size >= needs.customers,
            f"A model of renewals needs at least {needs.customers} customers; there {noun(size, 'is', 'are')} {size:.0f}.",
            "Wait for more customers, or put cohorts together.",
        )
        refuse_unless(
            gone.sum() >= needs.repeaters,
            f"A model of renewals needs at least {needs.repeaters} customers who left; there "
            f"{noun(gone.sum(), 'is', 'are')} {gone.sum():.0f}.",
            "Take a longer history.",
        )
        refuse_unless(
            np.count_nonzero(gone) > 1,
            "All who left did so at the same renewal, so it can't be seen how loyalty grows.",
            "Follow the customers over at least two renewals.",
        )
        period = np.arange(1.0, len(gone) + 1)

        def likelihood(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            from scipy.special import betaln, digamma

            alpha, beta = theta
            # P(leaves at t) = B(α+1, β+t-1)/B(α, β), S(t) = B(α, β+t)/B(α, β).
            height = gone @ betaln(alpha + 1, beta + period - 1) + here @ betaln(alpha, beta + period)
            both = digamma(alpha + beta + period)
            by_alpha = gone @ (digamma(alpha + 1) - both) + here @ (digamma(alpha) - both)
            by_beta = gone @ (digamma(beta + period - 1) - both) + here @ (digamma(beta + period) - both)
            by_alpha -= size * (digamma(alpha) - digamma(alpha + beta))
            by_beta -= size * (digamma(beta) - digamma(alpha + beta))
            return float(height - size * betaln(alpha, beta)), np.array([by_alpha, by_beta])

        starts = ([1.0, 3.0], [0.5, 1.0], [5.0, 20.0])
        fit = maximise(likelihood, ("alpha", "beta"), starts, n=int(size), rows=len(gone))
        alpha, beta = fit.parameters.values()
        return cls(alpha, beta, fit)

    @classmethod
    def of_cohort(cls, survivors: ArrayLike, needs: Needs = USUAL) -> Self:
        """Fit to one cohort: how many there were at the start, after the first renewal, the second, …

        Raises:
            Refused: as :meth:`fitted`, or the numbers rise.
        """
        curve = np.asarray(survivors, dtype=np.float64)
        refuse_unless(curve.ndim == 1 and curve.size >= 2, "A curve needs two points.", "Give the start and a renewal.")
        refuse_unless(bool(np.all(np.diff(curve) <= 0)), "Survivors can't become more.", "Follow one cohort alone.")
        here = np.zeros(len(curve) - 1)
        here[-1] = curve[-1]
        return cls.fitted(-np.diff(curve), here, needs)

    def survival(self, periods: ArrayLike) -> NDArray[np.float64]:
        """P(a new customer is still here after so many renewals)."""
        from scipy.special import betaln

        return np.asarray(np.exp(betaln(self.alpha, self.beta + np.asarray(periods)) - betaln(self.alpha, self.beta)))

    def churn(self, renewals: ArrayLike, ahead: int = 1) -> NDArray[np.float64]:
        """P(somebody who is here after so many renewals leaves at one of the next ``ahead`` ones)."""
        past = np.asarray(renewals, dtype=np.float64)
        refuse_unless(ahead >= 1, "There must be a renewal ahead.", "Take 1 or more.")
        return 1 - self.survival(past + ahead) / self.survival(past)

    def residual(self, renewals: ArrayLike, rate: float) -> NDArray[np.float64]:
        """Discounted expected residual lifetime in periods (DERL; Fader and Hardie 2010, doi 10.1287/mksc.1080.0482).

        The customer is here after so many renewals and the next one is about to be decided; it counts 1 if it is made, the
        one after it 1/(1+rate), and so on.

        Raises:
            Refused: the rate isn't above 0.
        """
        from scipy.special import hyp2f1

        refuse_unless(np.isfinite(rate) and rate > 0, f"A discount of {rate} can't be.", "Take a rate above 0.")
        past = self.beta + np.asarray(renewals, dtype=np.float64)
        series = hyp2f1(1.0, past + 1, self.alpha + past + 1, 1 / (1 + rate))
        return np.asarray(past / (self.alpha + past) * series)
