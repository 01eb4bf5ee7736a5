import pytest

from imi.errors import UsageError
from imi.index.search_cost import cost_table, funnel_mflops


def test_the_papers_figures_come_out():
    table = {cost.way: cost for cost in cost_table(1_281_167, 2048, 200, 16)}
    assert table["exact"].mflops == pytest.approx(2624, rel=0.001)  # 2.6 GFLOPs a query on ImageNet-1K
    assert {cost.way: cost for cost in cost_table(4_202_000, 2048)}["exact"].mflops == pytest.approx(8606, rel=0.001)
    assert table["rerank"].mflops == pytest.approx(0.41, rel=0.01)  # 400 KFLOP
    assert table["exact"].mflops / table["adaptive, exact shortlist"].mflops == pytest.approx(125, rel=0.01)
    assert table["adaptive, graph shortlist"].mflops < table["graph"].mflops + table["rerank"].mflops


def test_a_funnel_is_the_sum_of_its_stages():
    assert funnel_mflops([(1000, 8), (200, 16), (100, 32)]) == (8000 + 3200 + 3200) / 1e6


def test_numbers_that_cannot_be_are_named():
    with pytest.raises(UsageError, match="first=32"):
        cost_table(10, 16, 5, 32)
