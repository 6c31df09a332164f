"""The Airflow names: every module here hands out objects of Gnomon under the path that Airflow gave them."""

# `airflow` is open: airflow.providers.* of installed packages are found beside this folder.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)

from airflow._finder import attribute_getter, install

__version__ = "3.3.2"

install()
__getattr__ = attribute_getter(__name__)
