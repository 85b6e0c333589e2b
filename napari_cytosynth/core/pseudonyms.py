"""Names under which things leave a project, from which nobody finds them again."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_LENGTH = 12  # hexadecimal digits: 48 bits, so that a million names hardly ever meet


class Pseudonyms:
    """Keyed hashes. Without the salt, which is kept nowhere, none can be traced back.

    Parameters
    ----------
    salt : bytes, optional
        By default a new one by chance, so that two exports of a project share no name.
    """

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = secrets.token_bytes(32) if salt is None else salt

    def of(self, kind: str, what: object) -> str:
        """Return the name of one thing: ``kind-`` and twelve hexadecimal digits.

        Parameters
        ----------
        kind : str
            Such as ``"cell"``. The same number of another kind gets another name.
        what : object
            What tells it from others of its kind, as text.
        """
        said = f"{kind}:{what}".encode()
        digest = hmac.new(self._salt, said, hashlib.sha256).hexdigest()
        return f"{kind}-{digest[:_LENGTH]}"
