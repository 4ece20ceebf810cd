"""The one building block of every network: a linear map, a nonlinearity, and a fixed change of shape."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn


class Layer(nn.Module):
    """Reshape, map linearly, bend, pool: ``pool(nonlinearity(linear(reshape(x))))``.

    Only ``linear`` has parameters, so that a learning rule that knows linear maps knows every layer.
    """

    def __init__(
        self,
        linear: nn.Linear | nn.Conv2d,
        nonlinearity: Callable[[Tensor], Tensor] | None = None,
        reshape: Callable[[Tensor], Tensor] | None = None,
        pool: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.linear = linear
        self.nonlinearity = nonlinearity or nn.Identity()
        self.reshape = reshape or nn.Identity()
        self.pool = pool or nn.Identity()
        fixed = [part for part in (self.nonlinearity, self.reshape, self.pool) if isinstance(part, nn.Module)]
        if any(list(part.parameters()) + list(part.buffers()) for part in fixed):
            raise ValueError("Only the linear map of a layer may have parameters or state; another part has some.")

    def drive(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """What reaches the nonlinearity."""
        return self.linear(self.reshape(x))

    def fire(self, drive: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """Activity for a given drive."""
        return self.pool(self.nonlinearity(drive))

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return self.fire(self.drive(x))
