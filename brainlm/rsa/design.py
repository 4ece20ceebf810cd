"""Conditions that follow each other in stories: what is regressed out of RDMs, and how labels are shuffled then."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from brainlm.errors import choose
from brainlm.records import Rdm
from brainlm.rsa.brains import Brains
from brainlm.rsa.compare import PARTIAL, without
from brainlm.rsa.mixtures import among
from brainlm.rsa.models import Models, given_models
from brainlm.rsa.pairs import shuffled_pairs


@dataclass(frozen=True)
class Design:
    """The story of each condition, a story's conditions in order of time; and RDMs to regress out, with their names.

    Segments near each other in a story are alike in brain and text, so labels may not be shuffled freely: each story is
    shifted in a circle by a random lag of its own.
    """

    stories: tuple[str, ...]
    controls: Float[np.ndarray, "controls pairs"]
    names: tuple[str, ...]

    def bare(self) -> "Design":
        """The same conditions with nothing regressed out."""
        return replace(self, controls=self.controls[:0], names=())

    def control_models(self, conditions: tuple[str, ...]) -> Models:
        """What is regressed out, as models of its own: low bars for networks."""
        return given_models([Rdm(rdm, conditions, "control") for rdm in self.controls], list(self.names))

    def take(self, chosen: Int[np.ndarray, " some"]) -> "Design":
        """Some of the conditions; a control that is the same for all of their pairs is no control any more."""
        controls = among(self.controls, chosen)
        varied = np.flatnonzero(np.ptp(controls, axis=1) > 0)
        names = tuple(self.names[i] for i in varied)
        return Design(tuple(self.stories[i] for i in chosen), controls[varied], names)

    def comparison(self, name: str) -> str:
        """What ``name`` is called once the controls are out.

        Raises
        ------
        ConfigError
            If there are controls and the comparison has no partial form.
        """
        return f"partial_{choose('partial comparison', name, PARTIAL)}" if self.names else name

    def adjusted(self, models: Models, brains: Brains, name: str) -> tuple[Models, Brains, str]:
        """Models and brain RDMs (or their ranks) less the controls, and the comparison that is left to make."""
        if not self.names:
            return models, brains, name
        clean = replace(models, rdms=without(models.rdms, self.controls, name))
        n_brains, n_runs, n_pairs = brains.run_rdms.shape
        runs = without(brains.run_rdms.reshape(-1, n_pairs), self.controls, name).reshape(n_brains, n_runs, n_pairs)
        return clean, replace(brains, rdms=without(brains.rdms, self.controls, name), run_rdms=runs), "pearson"

    def shifts(self, n_draws: int, rng: np.random.Generator) -> Int[np.ndarray, "draws pairs"]:
        """Where each entry of an RDM comes from when every story is shifted by a lag of its own."""
        stories = np.asarray(self.stories)
        orders = np.tile(np.arange(len(stories)), (n_draws, 1))
        for story in dict.fromkeys(self.stories):
            places = np.flatnonzero(stories == story)
            lags = rng.integers(len(places), size=n_draws)
            orders[:, places] = places[(np.arange(len(places)) + lags[:, None]) % len(places)]
        return shuffled_pairs(orders)
