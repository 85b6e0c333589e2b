"""Every error that napari-cytosynth raises on purpose.

A message says what happened to which thing, then the rule, then the way out.

* CytoSynthError
    * InputError (ValueError): a picture, file or argument that cannot be used
        * FormatError: an annotation file that breaks its format
    * UnknownClassError (KeyError): a class that the taxonomy does not hold
    * TaxonomyError (ValueError): a taxonomy that contradicts itself
    * ProvenanceError (TypeError): a synthetic object without, or with a false, origin
    * RegistryError (LookupError): no plug-in of that name
    * MissingExtraError (ImportError): an optional package is not installed
    * ProjectError (RuntimeError): a project that cannot be used
        * ProjectNotFoundError (FileNotFoundError)
        * ProjectLockedError (BlockingIOError)
        * StorageError (OSError): the disk refused (full, read-only)
    * WeightsError (ValueError): model weights that are damaged or not the ones named
    * WorkerError (ConnectionError): the compute worker
        * WorkerUnreachableError
        * WorkerRefusedError (PermissionError): wrong or missing token
        * WorkerDiedError: it ended in the middle of a job
    * Cancelled (Exception): the user stopped a task
"""

from __future__ import annotations


class CytoSynthError(Exception):
    """Root of all errors that this package raises on purpose."""

    def __str__(self) -> str:
        # KeyError would show the repr of its argument, quotes and all.
        return str(self.args[0]) if self.args else type(self).__name__


class InputError(CytoSynthError, ValueError):
    """A picture, file or argument cannot be used."""


class FormatError(InputError):
    """An annotation file breaks the rules of its format."""


class UnknownClassError(CytoSynthError, KeyError):
    """The taxonomy does not hold this class."""


class TaxonomyError(CytoSynthError, ValueError):
    """A taxonomy, or a mapping between two, contradicts itself."""


class ProvenanceError(CytoSynthError, TypeError):
    """A synthetic object lacks its origin, or poses as a real one."""


class RegistryError(CytoSynthError, LookupError):
    """No plug-in of this name is installed."""


class MissingExtraError(CytoSynthError, ImportError):
    """An optional package is not installed."""


class ProjectError(CytoSynthError, RuntimeError):
    """A project cannot be used as asked."""


class ProjectNotFoundError(ProjectError, FileNotFoundError):
    """There is no project at this place."""


class ProjectLockedError(ProjectError, BlockingIOError):
    """Another process holds the project."""


class StorageError(ProjectError, OSError):
    """The disk refused: full, read-only or gone."""


class WeightsError(CytoSynthError, ValueError):
    """Model weights are damaged, or not the ones that were named."""


class OtherWeightsError(WeightsError):
    """A class was learned on other weights than those at hand, and must be anew."""


class WorkerError(CytoSynthError, ConnectionError):
    """The compute worker failed."""


class WorkerUnreachableError(WorkerError):
    """Nothing answers at the worker's address."""


class WorkerRefusedError(WorkerError, PermissionError):
    """The worker refused the token."""


class WorkerDiedError(WorkerError):
    """The worker ended in the middle of a job."""


class MemoryShortError(CytoSynthError, MemoryError):
    """Memory does not hold the work even in its smallest part."""


class Cancelled(CytoSynthError):
    """The user stopped the task."""
