"""How networks learn: one file a learning rule, found by its name."""

from importlib import import_module
from inspect import signature
from pkgutil import iter_modules

from brainlm.errors import choose

SHARED = {"base", "defined", "feedback", "inverses", "local", "losses", "plasticity", "study"}
LEARNING_RULES = sorted({module.name for module in iter_modules(__path__)} - SHARED)


def make_learning_rule(name, network, example, **options):
    """Build the learning rule ``name`` for ``network``; ``example`` is a batch of one, to size things by.

    The class is the file's name in CamelCase. Only the named file is imported, so that a change of one rule
    leaves what the others learned up to date.

    Raises
    ------
    ConfigError
        If there is no such rule, or it has no such option.
    """
    module = import_module(f"{__name__}.{choose('learning rule', name, LEARNING_RULES)}")
    rule = getattr(module, name.title().replace("_", ""))
    allowed = [option for option in signature(rule).parameters if option not in ("network", "example")]
    for option in options:
        choose(f"option of learning rule {name}", option, allowed)
    return rule(network, example, **options)
