import subprocess
import sys

import pytest
from tests.needs import needs

from imi.errors import UsageError

pytestmark = needs("torch")


def setup_module():
    global torch
    global MRL, MRLE, Fixed
    global probabilities
    import torch

    from imi.train import MRL, MRLE, Fixed
    from imi.train.heads import probabilities


DIMS = (2, 4, 8)


@pytest.mark.parametrize("kind", ["MRL", "MRLE"])
def test_one_output_per_size_reads_only_its_prefix(kind):
    torch.manual_seed(0)
    head, z = {"MRL": MRL, "MRLE": MRLE}[kind](DIMS, classes=5), torch.randn(3, 8)
    outputs = head(z)
    assert [tuple(output.shape) for output in outputs] == [(3, 5)] * 3
    for size, output in zip(DIMS, outputs, strict=True):
        weight, bias = head.weights(size)
        assert torch.allclose(output, z[:, :size] @ weight.T + bias, atol=1e-6)
        changed = z.clone()
        changed[:, size:] += 10
        assert torch.equal(head.of_size(changed, size), output)


def test_weights_of_mrl_e_are_tied():
    torch.manual_seed(0)
    head, z = MRLE(DIMS, classes=5), torch.randn(3, 8)
    assert sum(p.numel() for p in head.parameters()) == 8 * 5 + 5
    for size in DIMS:
        assert head.weights(size)[0].data_ptr() == head.layer.weight.data_ptr()
        assert torch.equal(head.weights(size)[0], head.layer.weight[:, :size])
    # What the smallest size learns, the larger ones have learned.
    before = head.of_size(z, 8)
    head.of_size(z, 2).pow(2).sum().backward()
    assert head.layer.weight.grad[:, 2:].abs().max() == 0 < head.layer.weight.grad[:, :2].abs().max()
    with torch.no_grad():
        head.layer.weight -= head.layer.weight.grad
    assert not torch.allclose(head.of_size(z, 8), before)


def test_weights_of_mrl_are_not_tied():
    head = MRL(DIMS, classes=5)
    assert sum(p.numel() for p in head.parameters()) == (2 + 4 + 8) * 5 + 3 * 5
    assert len({head.weights(size)[0].data_ptr() for size in DIMS}) == 3


def test_fixed_reads_the_first_k_only():
    head, z = Fixed(4, classes=5), torch.randn(3, 8)
    (output,) = head(z)
    assert torch.allclose(output, z[:, :4] @ head.layer.weight.T + head.layer.bias, atol=1e-6)
    with pytest.raises(UsageError, match="size is 8, allowed are"):
        head.of_size(z, 8)


def test_probabilities_are_distributions_per_size():
    p = probabilities(MRL(DIMS, classes=5), torch.randn(3, 8))
    assert p.shape == (3, 3, 5) and not p.requires_grad
    assert torch.allclose(p.sum(dim=-1), torch.ones(3, 3), atol=1e-6)


def test_no_classes_are_refused():
    with pytest.raises(UsageError, match="classes is 0"):
        MRL(DIMS, classes=0)


def test_naming_the_package_does_not_load_torch():
    script = (
        "import sys, imi, imi.train; assert 'torch' not in sys.modules; imi.train.MRL; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
