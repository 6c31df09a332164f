"""The Airflow names: every module here hands out objects of Gnomon under the path that Airflow gave them."""

from airflow._finder import attribute_getter, folders_of, install

__version__ = "3.3.2"

# `airflow` is open: airflow.providers.* of installed packages are found beside this folder.
__path__ = [*__path__, *(folder for folder in folders_of(__name__) if folder not in __path__)]
install()
__getattr__ = attribute_getter(__name__)
