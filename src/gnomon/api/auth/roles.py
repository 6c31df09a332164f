"""Roles, and which one each kind of resource needs."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """Each role may do all that the ones before it may."""

    VIEWER = 0  #: Reads everything but secrets.
    USER = 1  #: Runs, clears and pauses DAGs.
    OP = 2  #: Changes connections, variables and pools.
    ADMIN = 3  #: Everything.


class Access(NamedTuple):
    """The lowest roles that may read and change a kind of resource."""

    read: Role
    write: Role


DAGS = Access(Role.VIEWER, Role.USER)
ASSETS = Access(Role.VIEWER, Role.OP)
POOLS = Access(Role.VIEWER, Role.OP)
CONNECTIONS = Access(Role.OP, Role.OP)
VARIABLES = Access(Role.OP, Role.OP)
CONFIG = Access(Role.VIEWER, Role.OP)
VIEWS = Access(Role.VIEWER, Role.OP)


class User(NamedTuple):
    """Somebody who is logged in."""

    name: str
    role: Role

    def may(self, access: Access, *, write: bool) -> bool:
        """Say whether the user's role is high enough."""
        return self.role >= (access.write if write else access.read)


#: Who everybody is when [core] simple_auth_manager_all_admins is on.
ANONYMOUS = User("Anonymous", Role.ADMIN)
