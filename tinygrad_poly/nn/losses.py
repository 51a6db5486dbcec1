"""Loss functions as modules, which store their options."""

from typing import Any

from tinygrad_poly.nn import functional
from tinygrad_poly.nn.applied import Applied
from tinygrad_poly.nn.functional.losses import check_reduction, old_reduction


class _Loss(Applied):
    """A loss with its options, of which torch's old ones become a reduction."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        size_average, reduce = (self.__dict__.pop(name, None) for name in ("size_average", "reduce"))
        self._options = tuple(name for name in self._options if name not in ("size_average", "reduce"))
        self.reduction: str = old_reduction(size_average, reduce, self.__dict__["reduction"])
        if (self.reduction, type(self)._function) != ("batchmean", functional.kl_div):
            check_reduction(self.reduction)


class MSELoss(_Loss, function=functional.mse_loss, inputs=2, shown=None):
    """The mean squared error, mean (x − t)²: see `mse_loss`.

    >>> MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """


class L1Loss(_Loss, function=functional.l1_loss, inputs=2, shown=None):
    """The mean absolute error, mean |x − t|: see `l1_loss`.

    >>> L1Loss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(1.)
    """


class HuberLoss(_Loss, function=functional.huber_loss, inputs=2, shown=None):
    """The Huber loss: a parabola near 0 and straight lines beyond ±δ, so that outliers count less: see `huber_loss`.

    >>> HuberLoss(delta=0.5)(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(0.4375)
    """


class SmoothL1Loss(_Loss, function=functional.smooth_l1_loss, inputs=2, shown=None):
    """The smooth absolute error: the Huber loss divided by β, with slope ±1 beyond ±β: see `smooth_l1_loss`.

    >>> SmoothL1Loss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(0.7500)
    """


class BCELoss(_Loss, function=functional.binary_cross_entropy, inputs=2, shown=None):
    """The cross entropy of two classes from probabilities: see `binary_cross_entropy`.

    >>> BCELoss()(tensor([0.5]), tensor([1.0]))
    tensor(0.6931)
    """


class BCEWithLogitsLoss(_Loss, function=functional.binary_cross_entropy_with_logits, inputs=2, shown=None):
    """The cross entropy of two classes from log odds: see `binary_cross_entropy_with_logits`.

    >>> BCEWithLogitsLoss()(tensor([0.0]), tensor([1.0]))
    tensor(0.6931)
    """


class NLLLoss(_Loss, function=functional.nll_loss, inputs=2, shown=None):
    """The negative log probability of the right class: see `nll_loss`.

    >>> NLLLoss()(tensor([[-1.0, -2.0]]), tensor([1]))
    tensor(2.)
    """


class CrossEntropyLoss(_Loss, function=functional.cross_entropy, inputs=2, shown=None):
    """The cross entropy of classes, from any real numbers; their softmax gives the probabilities: see `cross_entropy`.

    >>> CrossEntropyLoss()(tensor([[0.0, 0.0]]), tensor([1]))
    tensor(0.6931)
    """


class KLDivLoss(_Loss, function=functional.kl_div, inputs=2, shown=None):
    """The Kullback–Leibler divergence, from logarithms of probabilities: see `kl_div`.

    >>> KLDivLoss(reduction="batchmean")(tensor([[-1.0, -1.0]]), tensor([[0.0, 1.0]]))
    tensor(1.)
    """


class CosineEmbeddingLoss(_Loss, function=functional.cosine_embedding_loss, inputs=3, shown=None):
    """A loss of the angle between rows that should be alike or not: see `cosine_embedding_loss`.

    >>> CosineEmbeddingLoss()(tensor([[1.0, 0.0]]), tensor([[0.0, 2.0]]), tensor([1]))
    tensor(1.)
    """


class HingeEmbeddingLoss(_Loss, function=functional.hinge_embedding_loss, inputs=2, shown=None):
    """A loss of the distances of pairs that are alike or not: see `hinge_embedding_loss`.

    >>> HingeEmbeddingLoss()(tensor([0.5, 0.5]), tensor([1, -1]))
    tensor(0.5000)
    """


class MarginRankingLoss(_Loss, function=functional.margin_ranking_loss, inputs=3, shown=None):
    """A loss of which of two numbers is larger: see `margin_ranking_loss`.

    >>> MarginRankingLoss()(tensor([1.0]), tensor([3.0]), tensor([1]))
    tensor(2.)
    """


class SoftMarginLoss(_Loss, function=functional.soft_margin_loss, inputs=2, shown=None):
    """The logistic loss for targets 1 and −1: see `soft_margin_loss`.

    >>> SoftMarginLoss()(tensor([0.0]), tensor([1.0]))
    tensor(0.6931)
    """


class MultiMarginLoss(_Loss, function=functional.multi_margin_loss, inputs=2, shown=None):
    """The distance of other classes from the right one, where it is too small: see `multi_margin_loss`.

    >>> MultiMarginLoss()(tensor([[1.0, 0.5, 0.0]]), tensor([0]))
    tensor(0.1667)
    """


class MultiLabelSoftMarginLoss(_Loss, function=functional.multilabel_soft_margin_loss, inputs=2, shown=None):
    """The cross entropy of classes of which each may be there or not: see `multilabel_soft_margin_loss`.

    >>> MultiLabelSoftMarginLoss()(tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """


class TripletMarginLoss(_Loss, function=functional.triplet_margin_loss, inputs=3, shown=None):
    """The distances of a positive and a negative example, compared: see `triplet_margin_loss`.

    >>> TripletMarginLoss()(tensor([[0.0]]), tensor([[1.0]]), tensor([[1.0]]))
    tensor(1.)
    """


class GaussianNLLLoss(_Loss, function=functional.gaussian_nll_loss, inputs=3, shown=None):
    """The negative log likelihood of normal numbers: see `gaussian_nll_loss`.

    >>> GaussianNLLLoss()(tensor([1.0]), tensor([3.0]), tensor([1.0]))
    tensor(2.)
    """


class PoissonNLLLoss(_Loss, function=functional.poisson_nll_loss, inputs=2, shown=None):
    """The negative log likelihood of counts: see `poisson_nll_loss`.

    >>> PoissonNLLLoss()(tensor([0.0]), tensor([2.0]))
    tensor(1.)
    """


class CosineSimilarity(Applied, function=functional.cosine_similarity, inputs=2, shown=None):
    """The cosine of the angle between two tensors along a dimension: see `cosine_similarity`.

    >>> CosineSimilarity()(tensor([[1.0, 1.0]]), tensor([[2.0, 0.0]]))
    tensor([0.7071])
    """


class PairwiseDistance(Applied, function=functional.pairwise_distance, inputs=2, shown=None):
    """The distance of rows: see `pairwise_distance`.

    >>> PairwiseDistance()(tensor([[1.0, 1.0]]), tensor([[4.0, 5.0]]))
    tensor([5.0000])
    """
