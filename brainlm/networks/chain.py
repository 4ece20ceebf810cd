"""A network is a chain of layers; learning rules see nothing else."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from brainlm.networks.layers import Block, Layer


class Chain(nn.Module):
    """Layers one after another; the last one's activity is the output, with no nonlinearity (scores of classes)."""

    def __init__(self, *layers: Layer | Block) -> None:
        super().__init__()
        if not layers:
            raise ValueError("A chain needs at least one layer; got none.")
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch *time classes"]:
        return self.activities(x)[-1]

    def activities(self, x: Float[Tensor, "batch ..."]) -> list[Float[Tensor, "batch ..."]]:
        """The activity of every layer in a forward pass, the output last."""
        found = []
        for layer in self.layers:
            found.append(layer.fire(layer.drive(x)))
            x = layer.carry(found[-1], x)
        return found

    def inputs(
        self, x: Float[Tensor, "batch ..."], hidden: list[Float[Tensor, "batch ..."]]
    ) -> list[Float[Tensor, "batch ..."]]:
        """What each layer sees if the hidden layers' activities are ``hidden``, one a layer but the last."""
        seen = [x]
        for layer, activity in zip(self.layers, hidden, strict=False):
            seen.append(layer.carry(activity, seen[-1]))
        return seen

    def __iter__(self) -> Iterator[Layer | Block]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int | slice) -> Layer | Block | nn.ModuleList:
        return self.layers[index]
