from __future__ import annotations

import pytest
from tests.needs import needs

from imi.errors import UsageError

pytestmark = needs("torch")


def setup_module():
    global torch
    global nn
    global functional
    global MRL, MatryoshkaLoss
    global contrastive, distillation, triplet
    import torch
    from torch import nn
    from torch.nn import functional

    from imi.train import MRL, MatryoshkaLoss
    from imi.train.losses import contrastive, distillation, triplet


DIMS = (2, 4, 8)


def embeddings(count: int = 1, n: int = 6, d: int = 8) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(3)
    return tuple(torch.randn(n, d, dtype=torch.float64, requires_grad=True) for _ in range(count))


def unit(z: torch.Tensor) -> torch.Tensor:
    return z / (z**2).sum(dim=1, keepdim=True).sqrt()


def same_values_and_gradients(value, oracle, tensors):
    assert value.item() == pytest.approx(oracle.item(), abs=1e-6)
    for ours, theirs in zip(torch.autograd.grad(value, tensors), torch.autograd.grad(oracle, tensors), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6, rtol=0)
        assert ours.abs().max() > 1e-4, "a gradient that vanishes would compare equal to anything small"


def test_nested_loss_is_the_naive_weighted_sum():
    (z,) = embeddings()
    goal = torch.randn(6, dtype=torch.float64)
    loss = lambda p, y: ((p.sum(dim=1) - y) ** 2).mean()  # noqa: E731
    value = MatryoshkaLoss(loss, DIMS, weights=[0.5, 2, 0.25], normalize=False)(z, goal)
    oracle = 0.5 * loss(z[:, :2], goal) + 2 * loss(z[:, :4], goal) + 0.25 * loss(z[:, :8], goal)
    same_values_and_gradients(value, oracle, (z,))


def test_each_prefix_is_normalised_by_itself():
    a, b = embeddings(2)
    value = MatryoshkaLoss(contrastive, DIMS)((a, b))
    oracle = sum(contrastive(unit(a[:, :m]), unit(b[:, :m])) for m in DIMS)
    same_values_and_gradients(value, oracle, (a, b))
    wrong = sum(contrastive(unit(a)[:, :m], unit(b)[:, :m]) for m in DIMS)
    assert abs(value.item() - wrong.item()) > 1e-3


def official_loss(outputs, target, relative_importance=None):
    """The definition published with the paper: stack the losses, weigh them, sum."""
    losses = torch.stack([nn.CrossEntropyLoss()(output, target) for output in outputs])
    weights = torch.ones_like(losses) if relative_importance is None else torch.tensor(relative_importance)
    return (weights * losses).sum()


@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 0.25]])
def test_cross_entropy_over_heads_is_the_official_formula(weights):
    (z,) = embeddings()
    target = torch.tensor([0, 1, 2, 0, 1, 2])
    head = MRL(DIMS, classes=3).double()
    criterion = MatryoshkaLoss(functional.cross_entropy, DIMS, weights=weights, normalize=False)
    parameters = (z, *head.parameters())
    same_values_and_gradients(
        criterion.of_outputs(head(z), target), official_loss(head(z), target, weights), parameters
    )


def test_prefix_form_and_output_form_agree():
    (z,) = embeddings()
    target = torch.tensor([0, 1, 2, 0, 1, 2])
    head = MRL(DIMS, classes=3).double()
    by_prefix = MatryoshkaLoss(
        lambda p, y: functional.cross_entropy(head.of_size(p, p.shape[1]), y), DIMS, normalize=False
    )
    by_output = MatryoshkaLoss(functional.cross_entropy, DIMS, normalize=False)
    same_values_and_gradients(by_prefix(z, target), by_output.of_outputs(head(z), target), (z,))


def test_contrastive_written_out():
    a, b = (unit(z) for z in embeddings(2, n=3))
    scores = (a @ b.T) / 0.05
    forth = -sum(torch.log(scores[i, i].exp() / scores[i].exp().sum()) for i in range(3)) / 3
    back = -sum(torch.log(scores[i, i].exp() / scores[:, i].exp().sum()) for i in range(3)) / 3
    assert contrastive(a, b).item() == pytest.approx(((forth + back) / 2).item(), abs=1e-6)


def test_triplet_is_zero_beyond_the_margin():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    far, near = torch.tensor([[0.0, 1.0]] * 2), torch.tensor([[1.0, 0.0]] * 2)
    assert triplet(a, near, far).item() == 0
    assert triplet(a, far, near).item() == pytest.approx(1.2)


def test_distillation_ignores_width_and_length_of_the_teacher():
    (z,) = embeddings()
    student = unit(z)
    padded = torch.cat([student * 3, torch.zeros(6, 5, dtype=torch.float64)], dim=1)
    assert distillation(student, padded).item() == pytest.approx(0, abs=1e-12)
    assert distillation(student, torch.eye(6, dtype=torch.float64)).item() > 0.01


@pytest.mark.parametrize("dims", [(), (4, 2), (2, 2), (0, 2), (True, 2), (2.0, 4)])
def test_sizes_that_cannot_be_are_refused(dims):
    with pytest.raises(UsageError, match="ascending"):
        MatryoshkaLoss(contrastive, dims)


@pytest.mark.parametrize("weights", [(1,), (1, -1, 1), (1, float("nan"), 1), (1, float("inf"), 1)])
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(UsageError, match="weights"):
        MatryoshkaLoss(contrastive, DIMS, weights=weights)


def test_narrow_embeddings_and_missing_outputs_are_refused():
    criterion = MatryoshkaLoss(contrastive, DIMS)
    with pytest.raises(UsageError, match="4 dimensions"):
        criterion((torch.ones(2, 8), torch.ones(2, 4)))
    with pytest.raises(UsageError, match="2 outputs"):
        criterion.of_outputs([torch.ones(2, 3)] * 2, torch.tensor([0, 1]))
