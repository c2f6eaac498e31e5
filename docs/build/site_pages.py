"""What the site has beyond the Markdown of docs/: mkdocs calls these hooks, which `mkdocs.yml` names.

README.md, CONTRIBUTING.md and CHANGELOG.md become pages, their links turned towards the site, and each package gets a
page of its public names with their whole docstrings.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

BUILD = Path(__file__).parent
ROOT = BUILD.parents[1]
sys.path.insert(0, str(BUILD))
from api_page import PACKAGES  # noqa: E402 - mkdocs runs this file by its path

_FETCHED = '<script src="https://unpkg.com/iframe-worker/shim"></script>'
_REQUEST = re.compile(r'<(?:script|img|iframe)\b[^>]*src="?https?:[^>]*>|<link\b[^>]*stylesheet[^>]*https?:[^>]*>')
MOVED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of docs/."""
    for source, target in MOVED.items():
        files.append(File.generated(config, target, content=_from_docs((ROOT / source).read_text())))
    for name in PACKAGES:
        files.append(File.generated(config, f"api/{name}.md", content=_reference(name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to the root towards the site, and nest the lists of docs/api.md as deep as mkdocs asks for."""
    for source, target in MOVED.items():
        markdown = markdown.replace(f"](../{source}", f"]({target}")
    if page.file.src_uri != "api.md":
        return markdown
    nested = re.sub(r"^  - ", "    - ", markdown, flags=re.MULTILINE)
    return re.sub(r"^## ruleshift\.(\w+)$", r"## [ruleshift.\1](api/\1.md)", nested, flags=re.MULTILINE)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """See `_offline`."""
    return _offline(output, page.file.src_uri)


def on_post_template(output: str, *, template_name: str, config: MkDocsConfig) -> str:
    """See `_offline`."""
    return _offline(output, template_name)


def _offline(output: str, name: str) -> str:
    """Put our own few lines in place of a script that the theme would fetch.

    Raises:
        PluginError: the page asks the network for anything else.
    """
    output = output.replace(_FETCHED, f"<script>{(BUILD / 'file_worker.js').read_text()}</script>")
    if found := _REQUEST.search(output):
        raise PluginError(f"{name}: the page would need the network: {found[0]}")
    return output


def _from_docs(markdown: str) -> str:
    """Markdown of the root as if it lay in docs/."""
    for source, target in MOVED.items():
        markdown = markdown.replace(f"]({source}", f"]({target}")
    return markdown.replace("](docs/", "](")


def _reference(name: str) -> str:
    """A page that asks mkdocstrings for every public name of a package, from where it is defined."""
    package = importlib.import_module(f"ruleshift.{name}")
    names = sorted(package.__all__, key=str.lower)
    directives = [f"::: {_defined(name, each, getattr(package, each))}" for each in names]
    return "\n\n".join([f"# ruleshift.{name}", inspect.getdoc(package) or "", *directives]) + "\n"


def _defined(package: str, name: str, held: Any) -> str:
    if inspect.ismodule(held):
        return held.__name__
    if inspect.isclass(held) or inspect.isfunction(held):
        return f"{held.__module__}.{held.__qualname__}"
    return f"ruleshift.{package}.{name}"
