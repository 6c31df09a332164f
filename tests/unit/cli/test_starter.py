"""Ports, before anything is started."""

from __future__ import annotations

import pytest

from gnomon.cli.errors import CommandError
from gnomon.cli.starter import free_port


@pytest.mark.parametrize("port", [0, -1, 65536, 99999])
@pytest.mark.parametrize(("must", "name"), [(True, "-p/--port"), (False, "[api] port")])
def test_what_is_no_port_is_refused_by_the_name_of_what_says_so(port, must, name):
    with pytest.raises(CommandError) as error:
        free_port(port, host="127.0.0.1", must=must)
    assert str(error.value) == f"{name}: {port} is no port; it must be from 1 to 65535"
