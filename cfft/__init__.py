"""Counterfactual fine-tuning: the public API, imported on first use."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfft.data.pictures import FilePictures, class_folders, read_picture
    from cfft.data.splits import stratified_split
    from cfft.encoder import Capture, Classifier, Encoder, Head
    from cfft.errors import (
        CfftError,
        ConfigError,
        DataError,
        PluginError,
        TrainingError,
        WeightsError,
    )
    from cfft.hookspecs import hookimpl
    from cfft.interfaces import (
        AuxLoss,
        Backbone,
        Cam,
        MaskSelector,
        ModelSource,
        PictureSet,
        Preprocessing,
        Pretrained,
        Refiller,
        StudentView,
        Suite,
        SuiteSets,
        Teacher,
    )
    from cfft.merge import average_weights
    from cfft.params import backbone, cam, fill, loss, mask, param, suite, teacher
    from cfft.records import (
        Batch,
        Counterfactual,
        Encoded,
        LossTerm,
        MaskSelection,
        StepOutputs,
        StepResult,
        TeacherOutputs,
    )
    from cfft.relevance import grad_cam, relevance

_HOME = {
    "cfft.data.pictures": ("FilePictures", "class_folders", "read_picture"),
    "cfft.data.splits": ("stratified_split",),
    "cfft.encoder": ("Capture", "Classifier", "Encoder", "Head"),
    "cfft.errors": (
        "CfftError",
        "ConfigError",
        "DataError",
        "PluginError",
        "TrainingError",
        "WeightsError",
    ),
    "cfft.hookspecs": ("hookimpl",),
    "cfft.interfaces": (
        "AuxLoss",
        "Backbone",
        "Cam",
        "MaskSelector",
        "ModelSource",
        "PictureSet",
        "Preprocessing",
        "Pretrained",
        "Refiller",
        "StudentView",
        "Suite",
        "SuiteSets",
        "Teacher",
    ),
    "cfft.merge": ("average_weights",),
    "cfft.params": ("backbone", "cam", "fill", "loss", "mask", "param", "suite", "teacher"),
    "cfft.records": (
        "Batch",
        "Counterfactual",
        "Encoded",
        "LossTerm",
        "MaskSelection",
        "StepOutputs",
        "StepResult",
        "TeacherOutputs",
    ),
    "cfft.relevance": ("grad_cam", "relevance"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted([*_MODULE, "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version("cfft")
    if name not in _MODULE:
        raise AttributeError(f"module 'cfft' has no attribute '{name}'")
    return getattr(import_module(_MODULE[name]), name)


def __dir__() -> list[str]:
    return __all__
