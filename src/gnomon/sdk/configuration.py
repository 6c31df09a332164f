"""`conf` as DAG files and provider packages know it: the settings, with errors that they can catch."""

from __future__ import annotations

import functools
from typing import Any

from gnomon.sdk.exceptions import AirflowConfigException
from gnomon.service import config


class Configuration:
    """All that `gnomon.service.config.conf` has; what is wrong with a setting is an AirflowConfigException."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(config.conf, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return found(*args, **kwargs)
            except config.ConfigError as error:
                raise AirflowConfigException(str(error)) from error

        self.__dict__[name] = call
        return call


conf = Configuration()
