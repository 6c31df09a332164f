from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from gnomon.service.config import conf
from gnomon.store import crypto
from gnomon.store.crypto import Cipher
from gnomon.store.errors import BadFernetKey, FernetKeyMismatch

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_without_a_key_text_stays_plain() -> None:
    cipher = Cipher("")

    assert cipher.enabled is False
    assert cipher.encrypt("text") == "text"
    with pytest.raises(FernetKeyMismatch, match="fernet_key is empty"):
        cipher.decrypt("gAAAA", "variable 'x'")


def test_mistake_39_the_first_key_encrypts_and_all_decrypt() -> None:
    token = Cipher(OLD).encrypt("s3cret")
    both = Cipher(f"{NEW}, {OLD}")

    assert "s3cret" not in token
    assert both.decrypt(token) == "s3cret"
    assert Cipher(NEW).decrypt(both.encrypt("s3cret")) == "s3cret"
    assert Cipher(NEW).decrypt(both.rotate(token)) == "s3cret"


def test_a_wrong_key_names_the_thing_and_tells_no_secret() -> None:
    token = Cipher(OLD).encrypt("s3cret")

    with pytest.raises(FernetKeyMismatch) as error:
        Cipher(NEW).decrypt(token, "connection 'pg'")
    assert str(error.value).startswith("connection 'pg' was encrypted with a key that is not in [core] fernet_key")
    for secret in (OLD, NEW, token, "s3cret"):
        assert secret not in str(error.value)


@pytest.mark.parametrize("key", ["short", "=", "é" * 44, f"{NEW},nonsense"])
def test_a_bad_key_is_one_sentence_without_the_key(key: str) -> None:
    with pytest.raises(BadFernetKey, match=r"\[core\] fernet_key is not a Fernet key") as error:
        Cipher(key).encrypt("x")
    assert key not in str(error.value)
    with pytest.raises(BadFernetKey):
        Cipher(key).check()


def test_the_module_follows_the_setting() -> None:
    assert crypto.decrypt(crypto.encrypt("x")) == "x"
    conf.set("core", "fernet_key", OLD)
    token = crypto.encrypt("x")
    assert token != "x"
    conf.set("core", "fernet_key", f"{NEW},{OLD}")
    assert crypto.decrypt(token) == "x"


def test_importing_it_does_not_load_cryptography() -> None:
    code = "import sys, gnomon.store.crypto; sys.exit('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
