"""The one building block of every network: a linear map, a nonlinearity, and a fixed change of shape."""

import abc
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn


class Layer(nn.Module):
    """Reshape, map linearly, bend, pool: ``pool(nonlinearity(linear(reshape(x))))``.

    Only ``linear`` has parameters, so that a learning rule that knows linear maps knows every layer. What the next
    layer sees is ``carry(activity, x)``: the activity alone, unless part of the stimulus is still to come, as in a
    recurrent network unrolled in time.
    """

    def __init__(
        self,
        linear: nn.Linear | nn.Conv2d,
        nonlinearity: Callable[[Tensor], Tensor] | None = None,
        reshape: Callable[[Tensor], Tensor] | None = None,
        pool: Callable[[Tensor], Tensor] | None = None,
        carry: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.linear = linear
        self.nonlinearity = nonlinearity or nn.Identity()
        self.reshape = reshape or nn.Identity()
        self.pool = pool or nn.Identity()
        self.carry = carry or _activity_alone
        parts = (self.nonlinearity, self.reshape, self.pool, self.carry)
        fixed = [part for part in parts if isinstance(part, nn.Module)]
        if any(list(part.parameters()) + list(part.buffers()) for part in fixed):
            raise ValueError("Only the linear map of a layer may have parameters or state; another part has some.")

    def drive(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "..."]:
        """What reaches the nonlinearity."""
        return self.linear(self.reshape(x))

    def fire(self, drive: Float[Tensor, "..."]) -> Float[Tensor, "batch ..."]:
        """Activity for a given drive."""
        return self.pool(self.nonlinearity(drive))

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return self.carry(self.fire(self.drive(x)), x)


class Block(nn.Module, abc.ABC):
    """A part of a chain that is more than one linear map: learning rules that need linear maps refuse it.

    It stands where a layer may stand: its drive is what it sees, and ``fire`` does all the work.
    """

    def drive(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """What reaches the block."""
        return x

    @abc.abstractmethod
    def fire(self, drive: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The block's activity."""

    def carry(self, activity: Float[Tensor, "batch ..."], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """What the next layer sees."""
        return activity

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        return self.fire(x)


def _activity_alone(activity: Tensor, x: Tensor) -> Tensor:
    return activity
