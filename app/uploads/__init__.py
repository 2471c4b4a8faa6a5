"""Registers' files that come over HTTP: kept on a shelf beside the store, loaded by a process of their own.

A load takes a core and some hundred MiB for a minute: answers must not wait for it, and a file that brings its reader
down must not bring the service down.
"""

from app.uploads.desk import UploadDesk
from app.uploads.shelf import Shelf, Upload

__all__ = ["Shelf", "Upload", "UploadDesk"]
