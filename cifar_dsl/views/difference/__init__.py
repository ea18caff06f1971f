"""In what two specs differ in meaning: networks aligned stage by stage, and recipes setting by setting."""

from cifar_dsl.views.difference.report import Difference, as_data, as_lines, difference

__all__ = ["Difference", "as_data", "as_lines", "difference"]
