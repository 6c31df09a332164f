"""Reading a DAG file again, now."""

from __future__ import annotations

import json

from gnomon.api.auth.roles import DAGS as ACCESS
from gnomon.api.auth.tokens import BadToken, unsign
from gnomon.api.context import Ctx, router
from gnomon.api.public.errors import not_found

parsing = router("DAG Parsing", ACCESS, "/parseDagFile")


@parsing.put("/{file_token}", status_code=201)
def reparse_dag_file(ctx: Ctx, file_token: str) -> None:
    """Have the dag-processor read a file at once, whether or not it has changed; the token comes with each DAG."""
    try:
        where = json.loads(unsign(file_token, ctx.signing_key))
        bundle, path = where["bundle_name"], where["relative_fileloc"]
    except (BadToken, ValueError, TypeError, KeyError):
        raise not_found("File not found") from None
    if not ctx.store.dags.parse_again(bundle, path):
        raise not_found("File not found")
