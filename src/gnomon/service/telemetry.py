"""Metrics under Airflow's statsd names; nothing happens unless `[metrics] statsd_on` is set.

One UDP datagram per metric, never waited for: a lost number is better than a late task.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from gnomon.service import clock
from gnomon.service.config import ConfigError, conf

Tags: TypeAlias = Mapping[str, object] | None


class Metrics:
    """Counts, gauges and timings; `Stats` is the one that everybody uses."""

    def __init__(self) -> None:
        self._sender: _Sender | None = None
        self._ready = False

    def incr(self, name: str, count: int = 1, *, tags: Tags = None) -> None:
        """Add to a counter."""
        self._send(name, f"{count}|c", tags)

    def decr(self, name: str, count: int = 1, *, tags: Tags = None) -> None:
        """Take from a counter."""
        self._send(name, f"{-count}|c", tags)

    def gauge(self, name: str, value: float, *, delta: bool = False, tags: Tags = None) -> None:
        """Set a gauge, or change it by `value`."""
        if delta:
            self._send(name, f"{value:+g}|g", tags)
            return
        if value < 0:
            # A sign means a change in this protocol, so a negative value starts from zero.
            self._send(name, "0|g", tags)
        self._send(name, f"{value:g}|g", tags)

    def timing(self, name: str, seconds: float, *, tags: Tags = None) -> None:
        """Record a duration."""
        self._send(name, f"{seconds * 1000:.3f}|ms", tags)

    @contextmanager
    def timer(self, name: str, *, tags: Tags = None) -> Iterator[None]:
        """Record how long the block took."""
        start = clock.monotonic()
        try:
            yield
        finally:
            self.timing(name, clock.monotonic() - start, tags=tags)

    def close(self) -> None:
        """Close the socket; the next metric reads the settings again."""
        if self._sender is not None:
            self._sender.close()
        self._sender, self._ready = None, False

    def _send(self, name: str, value: str, tags: Tags) -> None:
        if not self._ready:
            self._sender = _Sender.from_config() if conf.getboolean("metrics", "statsd_on") else None
            self._ready = True
        if self._sender is not None:
            self._sender.send(name, value, tags)


class _Sender:
    def __init__(self, address: tuple[str, int], family: int, prefix: str, style: str, fixed: str) -> None:
        self._allowed = _patterns("metrics_allow_list")
        self._blocked = _patterns("metrics_block_list")
        self._dropped_tags = frozenset(conf.getlist("metrics", "statsd_disabled_tags"))
        self._address = address
        self._prefix = prefix
        self._style = style
        self._fixed = fixed
        # Last, because a setting above may be refused.
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    @classmethod
    def from_config(cls) -> _Sender:
        host = conf.get_mandatory_value("metrics", "statsd_host")
        port = conf.getint("metrics", "statsd_port")
        family = socket.AF_INET6 if conf.getboolean("metrics", "statsd_ipv6") else socket.AF_INET
        try:
            address = socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)[0][4]
        except OSError as error:
            raise ConfigError(f"[metrics] statsd_host: {host!r} cannot be found: {error.strerror}") from None
        style, fixed = "", ""
        if conf.getboolean("metrics", "statsd_datadog_enabled"):
            style = "datadog" if conf.getboolean("metrics", "statsd_datadog_metrics_tags") else ""
            fixed = ",".join(conf.getlist("metrics", "statsd_datadog_tags"))
        elif conf.getboolean("metrics", "statsd_influxdb_enabled"):
            style = "influxdb"
        prefix = conf.get("metrics", "statsd_prefix", fallback="airflow")
        return cls((str(address[0]), int(address[1])), family, prefix, style, fixed)

    def send(self, name: str, value: str, tags: Tags) -> None:
        if self._blocked and any(pattern.search(name) for pattern in self._blocked):
            return
        if self._allowed and not any(pattern.search(name) for pattern in self._allowed):
            return
        try:
            self._socket.sendto(self._line(name, value, tags).encode(), self._address)
        except OSError:
            return

    def _line(self, name: str, value: str, tags: Tags) -> str:
        full = f"{self._prefix}.{name}" if self._prefix else name
        shown = {key: tag for key, tag in (tags or {}).items() if key not in self._dropped_tags}
        if self._style == "influxdb":
            return ",".join([full, *(f"{key}={tag}" for key, tag in shown.items())]) + f":{value}"
        texts = [f"{key}:{tag}" for key, tag in shown.items()] if self._style == "datadog" else []
        if self._fixed:
            texts.append(self._fixed)
        return f"{full}:{value}" + (f"|#{','.join(texts)}" if texts else "")

    def close(self) -> None:
        self._socket.close()


def _patterns(option: str) -> list[re.Pattern[str]]:
    texts = conf.getlist("metrics", option, fallback=[])
    try:
        return [re.compile(text) for text in texts]
    except re.error as error:
        raise ConfigError(f"[metrics] {option}: {error.pattern!r} is not a regular expression: {error}") from None


Stats = Metrics()
