"""Pictures of networks: Mermaid and DOT as text, SVG and PNG with the extra `pictures`."""

from cifar_dsl.views.pictures.dot import as_dot
from cifar_dsl.views.pictures.drawing import draw
from cifar_dsl.views.pictures.images import as_png, as_svg
from cifar_dsl.views.pictures.mermaid import as_mermaid
from cifar_dsl.views.pictures.model import Picture

__all__ = ["Picture", "as_dot", "as_mermaid", "as_png", "as_svg", "draw"]
