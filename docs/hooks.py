"""What MkDocs does beyond its plugins: equations without scripts, links to sources."""

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.plugins import get_plugin_logger

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(((?:\.\./)+)([^)#\s]+)(#[^)\s]+)?\)")
EQUATION = re.compile(
    r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL
)

log = get_plugin_logger(__name__)


def on_page_markdown(markdown, page, config, files):
    """Points links that leave `docs/` to the repository; warns where nothing is."""

    def link(match):
        target = (ROOT / "docs" / page.file.src_uri).parent / match[1] / match[2]
        path = target.resolve()
        if path.is_relative_to(ROOT / "docs"):
            return match[0]
        if not path.exists():
            log.warning(f"{page.file.src_uri}: {match[1]}{match[2]} does not exist")
        return f"]({config.extra['sources']}/{path.relative_to(ROOT)}{match[3] or ''})"

    return LINK.sub(link, markdown)


def on_page_content(content, page, config, files):
    """Turns TeX into MathML, which browsers show by themselves."""

    def equation(match):
        tex = html.unescape(match[3])
        if match[2] == "(":
            return convert(tex)
        return f'<div class="equation">{convert(tex, display="block")}</div>'

    return EQUATION.sub(equation, content)
