from __future__ import annotations

import pytest

from gnomon.model.timetables import Profile


@pytest.fixture(params=[2, 3], ids=["profile2", "profile3"])
def profile(request: pytest.FixtureRequest) -> Profile:
    return request.param
