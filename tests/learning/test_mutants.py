"""Faults planted in our own rules, each caught by a named test: a test that no fault fails proves nothing."""

import importlib
import inspect
import sys
from contextlib import contextmanager

import pytest
import torch
from learning import (
    test_contract,
    test_dendritic,
    test_equilibrium,
    test_estimators,
    test_feedback_rules,
    test_local_rules,
    test_prediction_errors,
    test_spikes,
    test_targets,
)
from learning.cases import make_case

from brainlm.learning import make_learning_rule

DLL = "dendritic_localized_learning"


def respond_alone():
    """``test_contract``'s own case, without its fixture."""
    network, x, y = make_case("mlp", torch.float32)
    taught = make_learning_rule("backprop", network, x[:1]), network, x, y
    test_contract.test_respond_gives_one_activity_a_layer_whatever_the_batch(taught)


# (fault, module, its text, the faulty text, the test that must fail, its arguments)
MUTANTS = [
    (
        "weight gradient with the wrong sign",
        "learning.feedback", "outer(ctx.linear, x, error)", "outer(ctx.linear, x, -error)",
        test_feedback_rules.test_feedback_set_to_the_weights_is_backprop, ("feedback_alignment", "mlp"),
    ),
    (
        "bias that never learns",
        "learning.feedback", "total(ctx.linear, error)", "0 * total(ctx.linear, error)",
        test_feedback_rules.test_feedback_set_to_the_weights_is_backprop, ("feedback_alignment", "cnn"),
    ),
    (
        "direct error with the wrong sign",
        "learning.direct_feedback_alignment", "(error @ b.T)", "(-error @ b.T)",
        test_feedback_rules.test_direct_feedback_chained_from_the_weights_is_backprop_in_a_linear_network, (),
    ),
    (
        "direct error that goes on to the layers below",
        "learning.local", "x = found[-1].detach()", "x = found[-1]",
        test_feedback_rules.test_direct_feedback_bends_with_the_slope_of_its_own_layer, (),
    ),
    (
        "feedback with the weights' magnitudes",
        "learning.sign_symmetry", ".detach().sign() * scale", ".detach() * scale",
        test_feedback_rules.test_sign_symmetry_with_the_weights_own_magnitudes_is_backprop, ("mlp",),
    ),
    (
        "feedback that grows where it should decay",
        "learning.kolen_pollack", "feedback.detach(), alpha=self.decay", "feedback.detach(), alpha=-self.decay",
        test_feedback_rules.test_feedback_of_kolen_pollack_becomes_the_weights, (),
    ),
    (
        "weights that do not decay with their feedback",
        "learning.kolen_pollack", "weight.detach(), alpha=self.decay", "weight.detach(), alpha=0",
        test_feedback_rules.test_feedback_of_kolen_pollack_becomes_the_weights, (),
    ),
    (
        "the released sign for the paper's",
        f"learning.{DLL}", '{"paper": 1.0, "released": -1.0}', '{"paper": -1.0, "released": 1.0}',
        test_dendritic.test_feedback_learns_by_the_outer_product_of_the_errors_at_its_two_ends, (2, 4),
    ),
    (
        "feedback's change without the derivative",
        f"learning.{DLL}", "[d.grad for d in drives]", "[h.grad for h in activities]",
        test_dendritic.test_a_recurrent_networks_feedback_learns_from_the_whole_error_of_its_state, (1,),
    ),
    (
        "feedback's change divided by the batch twice",
        f"learning.{DLL}", "self.feedback_rate * len(x)", "self.feedback_rate",
        test_dendritic.test_feedback_learns_by_the_outer_product_of_the_errors_at_its_two_ends, (1, 4),
    ),
    (
        "error through the weights, not the feedback",
        f"learning.{DLL}", "below, feedback))", "below, layer.linear.weight.detach()))",
        test_dendritic.test_the_hidden_error_depends_on_the_feedback_and_not_on_the_weight_above, (),
    ),
    (
        "activity that climbs the energy",
        "learning.predictive_coding", "(h - self.rate * g)", "(h + self.rate * g)",
        test_prediction_errors.test_energy_never_rises_while_activity_settles, ("mlp",),
    ),
    (
        "stale activity in the weights' update",
        "learning.predictive_coding", "settled = [h.detach() for h in hidden]", "settled = [h.detach() for h in start]",
        test_prediction_errors.test_clamped_linear_predictive_coding_has_its_closed_form, (),
    ),
    (
        "update not divided by the nudge",
        "learning.predictive_coding", "/ (self.nudge * len(x))", "/ len(x)",
        test_prediction_errors.test_strict_predictive_coding_differs_from_backprop_in_proportion_to_the_nudge, ("mlp",),
    ),
    (
        "errors that grow where they should relax",
        "learning.fixed_prediction_coding", "(pull - e)", "(pull + e)",
        test_prediction_errors.test_fixed_predictions_with_a_small_rate_near_backprop_step_by_step, (),
    ),
    (
        "errors that start at the output's own",
        "learning.fixed_prediction_coding",
        "errors = [torch.zeros_like(p) for p in predictions]",
        "errors = [*[torch.zeros_like(p) for p in predictions[:-1]], slope]",
        test_prediction_errors.test_one_step_less_leaves_the_deepest_layer_exactly_still, ("mlp",),
    ),
    (
        "weights that move up the copy's way",
        "learning.incremental_predictive_coding",
        "parameter.detach() - moved.detach()", "moved.detach() - parameter.detach()",
        test_prediction_errors.test_incremental_coding_moves_weights_at_every_step_and_one_rate_is_the_copys_own, (),
    ),
    (
        "nudge away from the target",
        "learning.equilibrium_propagation", "total - nudge *", "total + nudge *",
        test_equilibrium.test_symmetric_estimate_errs_by_the_square_of_the_nudge, ("squared_error",),
    ),
    (
        "one-sided difference divided as if symmetric",
        "learning.equilibrium_propagation", "(self.nudge - lower)", "(2 * self.nudge)",
        test_equilibrium.test_one_sided_estimate_errs_in_proportion_to_the_nudge, ("squared_error",),
    ),
    (
        "correction of the inverse with the wrong sign",
        "learning.difference_target_propagation", "index, target) - here", "index, target) + here",
        test_targets.test_an_output_on_its_target_leaves_every_layer_where_it_is, ("mlp",),
    ),
    (
        "target uphill",
        "learning.difference_target_propagation", "inputs[-1] - self.step * slope", "inputs[-1] + self.step * slope",
        test_targets.test_exact_inverses_of_a_linear_network_shift_hidden_activity_as_gauss_newton_does, (),
    ),
    (
        "layer's error without its derivative",
        "learning.local", "found.append(layer(x))", "found.append(layer.drive(x))",
        test_targets.test_jacobian_transposes_as_inverses_are_backprop, ("mlp",),
    ),
    (
        "missing transpose in the inverse",
        "learning.inverses", "layer, weight, bias = network[index], self.weights[index - 1],",
        "layer, weight, bias = network[index], self.weights[index - 1].T.reshape(self.weights[index - 1].shape),",
        test_targets.test_plain_targets_are_the_inverses_own_answers, (),
    ),
    (
        "goodness lowered for right labels",
        "learning.forward_forward", "F.softplus(-excess[: len(x)])", "F.softplus(excess[: len(x)])",
        test_local_rules.test_goodness_rises_for_right_labels_and_falls_for_wrong_ones, (),
    ),
    (
        "goodness that the next layer can read",
        "learning.forward_forward", "layer(normalise(below.detach(), level.detach()))", "layer(below.detach())",
        test_local_rules.test_one_layer_of_forward_forward_is_its_equation, (),
    ),
    (
        "error that leaks to the layer below",
        "learning.forward_forward", "normalise(below.detach(), level.detach())", "normalise(below, level)",
        test_local_rules.test_earlier_updates_do_not_see_later_weights, ("forward_forward", "mlp"),
    ),
    (
        "local loss that leaks to the layer below",
        "learning.local_losses", "activity = layer(x.detach())", "activity = layer(x)",
        test_local_rules.test_earlier_updates_do_not_see_later_weights, ("local_losses", "cnn"),
    ),
    (
        "central difference divided by half its width",
        "learning.weight_perturbation", "(2 * self.noise)", "self.noise",
        test_estimators.test_central_weight_perturbation_nears_the_slope_by_the_square_of_the_noise, ("mlp",),
    ),
    (
        "node's noise counted twice",
        "learning.node_perturbation", "- here) / self.noise", "- here) / self.noise**2",
        test_estimators.test_node_perturbation_is_its_equation, ("mlp",),
    ),
    (
        "directions of later layers left out",
        "learning.forward_gradient", "else moving + directions[-1]", "else moving",
        test_estimators.test_forward_gradient_of_activities_is_each_stimulus_slope_along_its_direction, ("mlp",),
    ),
    (
        "growth where Oja decays",
        "learning.oja", ".sub_(lost", ".add_(lost",
        test_local_rules.test_oja_finds_the_first_component_and_sanger_all_in_order, (),
    ),
    (
        "components in no order",
        "learning.oja", '"sanger": lambda linear, y: torch.tril', '"sanger": lambda linear, y: torch.triu',
        test_local_rules.test_oja_finds_the_first_component_and_sanger_all_in_order, (),
    ),
    (
        "losers pulled in with the winner",
        "learning.softhebb", "torch.copysign(y, u - u.amax(units, keepdim=True))", "y",
        test_local_rules.test_soft_competition_is_its_equation, (),
    ),
    (
        "trace that fades a step late",
        "learning.plasticity",
        "trace_before = fade_before * (trace_before + spikes_before)",
        "trace_before = fade_before * trace_before + spikes_before",
        test_spikes.test_one_pair_of_spikes_gives_the_exponential_window, (3,),
    ),
    (
        "bounds the wrong way round",
        "learning.stdp", "bound - weight, bound + weight", "bound + weight, bound - weight",
        test_spikes.test_the_update_of_stdp_is_its_equation, (),
    ),
    (
        "surrogate slope not squared",
        "networks.spiking", "(1 + ctx.slope * above.abs()).square()", "(1 + ctx.slope * above.abs())",
        test_spikes.test_the_surrogate_slope_is_that_of_a_fast_sigmoid, (),
    ),
    (
        "reset to 0, which loses what lay above threshold",
        "networks.spiking", "membrane - self.threshold * spikes[-1].detach()", "membrane * (1 - spikes[-1].detach())",
        test_spikes.test_rates_of_a_converted_network_approach_the_sources_activities, ("spiking_mlp",),
    ),
    (
        "batch normalisation in training mode",
        "learning.base", "[rate(layer, h) for", "[rate(layer, h) - h.mean(0) for",
        respond_alone, (),
    ),
]  # fmt: skip


@contextmanager
def planted(name, text, fault):
    """The module with the fault, wherever its functions and methods have been taken to; undone on leaving."""
    module = importlib.import_module(f"brainlm.{name}")
    source = inspect.getsource(module)
    assert source.count(text) == 1, f"{name}: expected {text!r} once, found {source.count(text)} times"
    before = dict(vars(module))
    sound, faulty = (_run(module, s) for s in (source, source.replace(text, fault)))
    undo = []
    for key, new in list(faulty.items()):
        old = before.get(key)
        if inspect.isclass(new) and new.__module__ == module.__name__:
            methods = _changed(sound[key], new)
            if "__init__" in methods:  # its call of the parent's needs the class that it was written in
                continue
            for method in methods:
                undo.append((old, method, vars(old)[method]))
                setattr(old, method, vars(new)[method])
            faulty[key] = old
        elif inspect.isfunction(new) and new.__module__ == module.__name__:
            undo += _replace(old, new)
    vars(module).update({k: v for k, v in faulty.items() if not k.startswith("__")})
    try:
        yield
    finally:
        for owner, key, old in reversed(undo):
            setattr(owner, key, old)
        vars(module).clear()
        vars(module).update(before)


def _run(module, source):
    names = {"__name__": module.__name__, "__file__": module.__file__, "__package__": module.__package__}
    exec(compile(source, module.__file__, "exec"), names)
    return names


def _changed(sound, faulty):
    """Methods whose code differs."""
    return [
        key
        for key, method in vars(faulty).items()
        if _code(method) is not None and _code(method) != _code(vars(sound)[key])
    ]


def _code(method):
    method = getattr(method, "__func__", method)  # of a static method
    return getattr(inspect.unwrap(method), "__code__", None) if callable(method) else None


def _replace(old, new):
    """Put ``new`` wherever the package or a test holds ``old``."""
    undo = []
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("brainlm", "learning"):
            for key, value in list(vars(module).items()):
                if value is old:
                    undo.append((module, key, old))
                    setattr(module, key, new)
    return undo


@pytest.mark.parametrize(
    ("fault", "module", "text", "faulty", "test", "arguments"), MUTANTS, ids=[m[0] for m in MUTANTS]
)
def test_a_planted_fault_fails_its_test(fault, module, text, faulty, test, arguments):
    with planted(module, text, faulty), pytest.raises(AssertionError):
        test(*arguments)


@pytest.mark.parametrize("chosen", [0, 8, -1])
def test_a_fault_leaves_nothing_behind(chosen):
    """The same test passes before and after, so that what fails it is the fault."""
    _, module, text, faulty, test, arguments = MUTANTS[chosen]
    test(*arguments)
    with planted(module, text, faulty), pytest.raises(AssertionError):
        test(*arguments)
    test(*arguments)


def test_there_are_at_least_twenty_faults_in_as_many_ways():
    assert len({(m[1], m[2], m[3]) for m in MUTANTS}) == len(MUTANTS) >= 20
