"""What brains are compared with: layers of networks, plainer descriptions of their pictures, and users' own RDMs."""

from pathlib import Path

from brainlm.errors import DataError
from brainlm.io.rdms import load_given
from brainlm.rsa.models import Models, given_models, joined, network_models, same_order


def load_models(
    stored: list[tuple], settings: dict, bids_root: Path, conditions: tuple[str, ...], brain: Path
) -> Models:
    """Models of ``conditions``, in their order, from networks' activities and the files under ``rsa.models``.

    ``brain`` is the file whose conditions these are, for the message.

    Raises
    ------
    DataError
        If there is none, or a network or a user's RDM is of other conditions.
    """
    parts = []
    if stored:
        try:
            parts.append(same_order(network_models(stored, settings["network_measure"]), conditions))
        except ValueError as error:
            raise DataError(f"{brain} and the networks' activities: {error}") from error
    for name, rdm in load_given(settings["models"], bids_root).items():
        try:
            parts.append(same_order(given_models([rdm], [name]), conditions))
        except ValueError as error:
            raise DataError(f"{brain} and rsa.models.{name}: {error}") from error
    if not parts:
        raise DataError(
            f"{brain}: expected something to compare with, got neither activities of networks nor rsa.models. Name one."
        )
    return joined(parts) if len(parts) > 1 else parts[0]
