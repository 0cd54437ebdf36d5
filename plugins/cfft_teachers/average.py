"""A teacher that follows the student over time."""

from __future__ import annotations

from typing import ClassVar

import cfft


@cfft.teacher("average")
class AverageTeacher(cfft.Teacher):
    """Follow the average of the student's weights that --average keeps up.

    Mean teacher (Tarvainen and Valpola 2017) with --average ema, the WMA teacher of TRACER
    (Asadollahzadeh et al. 2026, appendix C.5) with --average beta. It starts as the pre-trained
    model and changes after every optimiser step; no gradient flows into it. Its feature variance
    is that of the pre-trained model.
    """

    follows_average: ClassVar[bool] = True

    def load(self, source: cfft.ModelSource) -> cfft.Classifier:
        """Return what the average starts as: a copy of the pre-trained model."""
        return source.pretrained()
