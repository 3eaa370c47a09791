"""Opening the source that a job names. The extract task and the flows call it."""

from __future__ import annotations

from tasks.connectors.directory import Directory
from tasks.connectors.directory_files.reader import DirectoryFiles
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.job import FilesSource, GraphSource


def open_directory(source: GraphSource | FilesSource) -> Directory:
    """Give the directory of `source`. Nothing is read or sent yet."""
    return MicrosoftGraph(source) if isinstance(source, GraphSource) else DirectoryFiles(source)
