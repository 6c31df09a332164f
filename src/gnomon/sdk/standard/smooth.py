"""SmoothOperator: a song."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.operator import BaseOperator


class SmoothOperator(BaseOperator):
    """Logs where to hear "Smooth Operator"."""

    __module__ = "airflow.providers.standard.operators.smooth"

    ui_color = "#e8f7e4"
    yt_link = "https://www.youtube.com/watch?v=4TYv2PhG89A"

    def execute(self, context: Any) -> None:
        """Log the address."""
        self.log.info("Enjoy Sade - Smooth Operator: %s", self.yt_link)
