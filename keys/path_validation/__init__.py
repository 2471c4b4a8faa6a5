"""Certification paths by RFC 5280: from a certificate to an anchor, holding at an instant.

`validate_path` builds and judges a path whole. `leaf_step` adds a holder's certificate to the path of its CA, which the
caller keeps, for the price of one signature.
"""

from keys.path_validation.errors import PathError
from keys.path_validation.full import Source, validate_path
from keys.path_validation.leaf import leaf_step
from keys.path_validation.path import ANY_POLICY, NO_RULES, Path, Rules
from keys.path_validation.signatures import Usable

__all__ = ["ANY_POLICY", "NO_RULES", "Path", "PathError", "Rules", "Source", "Usable", "leaf_step", "validate_path"]
