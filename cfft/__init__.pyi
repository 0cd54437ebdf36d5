# ruff: noqa: I001 (names stand beside those that are for the same people)

# For users, docs/python.md: what the commands do, and the method in your own training loop.
from .training.entry import run as run
from .evaluation.entry import evaluate as evaluate
from .evaluation.models.load import load as load
from .training.own_loop import starting_model as starting_model
from .training.own_loop import training_step as training_step
from .training.own_loop import save as save
from .scoring.loaded_model import LoadedModel as LoadedModel
from .scoring.loaded_model import PredictedClasses as PredictedClasses
from .training.own_loop import CounterfactualStep as CounterfactualStep
from .runtime.arrays import require_sound_arrays as require_sound_arrays
from .runtime.documents import read_text_file as read_text_file
from .runtime.progress import Advance as Advance
from .runtime.progress import Plan as Plan
from .runtime.progress import Reporter as Reporter

__version__: str

# For users and authors of plug-ins: whatever they can put right is a CfftError.
from .errors import CfftError as CfftError
from .errors import ConfigError as ConfigError
from .errors import DataError as DataError
from .errors import PluginError as PluginError
from .errors import TrainingError as TrainingError
from .errors import WeightsError as WeightsError

# For authors of plug-ins, docs/hooks.md: the declaration of a strategy and its parameters.
from .plugin.hookspecs import hookimpl as hookimpl
from .plugin.params import param as param
from .plugin.decorators import mask as mask
from .plugin.decorators import fill as fill
from .plugin.decorators import cam as cam
from .plugin.decorators import teacher as teacher
from .plugin.decorators import loss as loss
from .plugin.decorators import task as task
from .plugin.decorators import adaptation as adaptation
from .plugin.decorators import average as average
from .plugin.decorators import merge as merge
from .plugin.decorators import backbone as backbone
from .plugin.decorators import suite as suite
from .plugin.decorators import exporter as exporter

# The methods that a strategy of each kind has, and what is handed to them.
from .step.interfaces import MaskSelector as MaskSelector
from .step.interfaces import Refiller as Refiller
from .step.interfaces import Cam as Cam
from .step.interfaces import Teacher as Teacher
from .step.interfaces import Task as Task
from .step.interfaces import AuxLoss as AuxLoss
from .model.interfaces import Adaptation as Adaptation
from .model.interfaces import Average as Average
from .model.interfaces import Merge as Merge
from .model.pretrained import Backbone as Backbone
from .data.suite import Suite as Suite
from .model.exporter import Exporter as Exporter
from .model.exporter import ExportSource as ExportSource
from .step.interfaces import StudentView as StudentView
from .step.interfaces import ModelSource as ModelSource
from .model.interfaces import Score as Score

# The records of a training step.
from .records import Batch as Batch
from .records import MaskSelection as MaskSelection
from .records import Counterfactual as Counterfactual
from .records import Encoded as Encoded
from .records import ViewOutputs as ViewOutputs
from .records import TeacherOutputs as TeacherOutputs
from .records import TextFeatures as TextFeatures
from .records import StepText as StepText
from .records import StepOutputs as StepOutputs
from .records import LossTerm as LossTerm
from .records import StepResult as StepResult

# The parts of a model, and building blocks for whatever takes part in a step or changes weights.
from .encoder.encoder import Classifier as Classifier
from .encoder.encoder import Encoder as Encoder
from .encoder.encoder import Head as Head
from .encoder.encoder import Capture as Capture
from .encoder.layers import EncoderLayers as EncoderLayers
from .encoder.layers import EncoderBlock as EncoderBlock
from .encoder.layers import BlockWeight as BlockWeight
from .encoder.relevance import relevance_scores as relevance_scores
from .encoder.relevance import grad_cam_scores as grad_cam_scores
from .step.patches import paste_patches as paste_patches
from .step.similarity import similarities as similarities
from .model.merge import average_weights as average_weights

# Image sets, and building blocks for suites.
from .data.folders import training_class_names as training_class_names
from .data.folders import evaluation_class_names as evaluation_class_names
from .data.folders import list_subfolders as list_subfolders
from .data.images import ImageFiles as ImageFiles
from .data.images import ImageSubset as ImageSubset
from .data.images import class_folders as class_folders
from .data.images import decode_image as decode_image
from .data.images import read_image as read_image
from .data.splits import stratified_split as stratified_split
from .data.splits import stratified_subset as stratified_subset
from .data.suite import ComputedImageSet as ComputedImageSet
from .data.suite import EvaluationSets as EvaluationSets
from .data.suite import Expected as Expected
from .data.suite import ImageSet as ImageSet
from .data.suite import MaskedImageSet as MaskedImageSet
from .data.suite import SuiteSets as SuiteSets

# For backbones: the model that they return, and the checks of weight files.
from .model.pretrained import Pretrained as Pretrained
from .records import Preprocessing as Preprocessing
from .model.weights import WeightFile as WeightFile
from .model.description import read_weights as read_weights
from .model.weights import require_weights_fit as require_weights_fit
from .model.weights import require_same_model as require_same_model

# For exporters: the facts about a model, and the file of its head.
from .model.description import ModelDescription as ModelDescription
from .model.head_file import read_head as read_head

# For all of them: messages about names that do not exist, and long lists.
from .errors import shortened_list as shortened_list
from .errors import unknown_name as unknown_name
