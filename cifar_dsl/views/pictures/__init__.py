"""Pictures of networks: SVG, PDF, TikZ, Mermaid and DOT, and PNG with the extra `pictures`."""

from cifar_dsl.views.pictures.dot import as_dot
from cifar_dsl.views.pictures.drawing import draw
from cifar_dsl.views.pictures.families import Theme, ThemeName, theme
from cifar_dsl.views.pictures.images import as_fragment, as_pdf, as_png, as_svg, as_tikz
from cifar_dsl.views.pictures.mermaid import as_mermaid
from cifar_dsl.views.pictures.model import Direction, Picture

__all__ = [
    "Direction",
    "Picture",
    "Theme",
    "ThemeName",
    "as_dot",
    "as_fragment",
    "as_mermaid",
    "as_pdf",
    "as_png",
    "as_svg",
    "as_tikz",
    "draw",
    "theme",
]
