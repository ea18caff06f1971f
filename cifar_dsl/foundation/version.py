"""The version of this package."""

from cifar_dsl.foundation.installation import package_version

__version__ = package_version()
