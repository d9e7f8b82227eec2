"""Keys and sign-in links. Only hashes are stored: of 256 random bits, a plain SHA-256 cannot be searched back."""

import hmac
import os
import secrets
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from corpora import UserError
from serve.database import Database, now

KEYS_SCHEMA = """
CREATE TABLE keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL, expires TEXT, revoked TEXT
);
CREATE TABLE sign_in_tokens (hash TEXT PRIMARY KEY, expires TEXT NOT NULL)
"""
TOKEN_LIFE = timedelta(hours=24)
PAGE_KEY_LIFE = timedelta(days=30)  # a key that a sign-in made; one made by `serve key create` lives until revoked


class Keys(Database):
    """The journal's keys."""

    root: Path

    def create_key(self, name: str, life: timedelta | None = None) -> str:
        """A new key, shown this once."""
        name = " ".join(name.split())[:80]
        if not name:
            raise UserError("A key needs a name that says who uses it.", "For example: serve key create maria-laptop")
        with self.writing() as db:
            return self._new_key(db, name, life)

    def keys(self) -> list[dict[str, Any]]:
        """id, name, created, expires, revoked of every key, oldest first."""
        return [dict(row) for row in self.rows("SELECT id, name, created, expires, revoked FROM keys ORDER BY rowid")]

    def revoke_key(self, key_id: str) -> None:
        with self.writing() as db:
            done = db.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (now(), key_id)).rowcount
        if not done:
            raise UserError(f"No key {key_id[:40]!r} that could be revoked.", "See: serve key list")

    def check_key(self, key: str) -> str | None:
        """The id of a key that is valid now, or None."""
        digest = _hash(key)
        query = "SELECT id, hash FROM keys WHERE hash = ? AND revoked IS NULL AND (expires IS NULL OR expires > ?)"
        row = self.row(query, (digest, now()))
        return str(row["id"]) if row and hmac.compare_digest(str(row["hash"]), digest) else None

    def local_key(self) -> str:
        """The key in home/local.key, for this machine's own page and commands; made at first use."""
        file = self.root / "local.key"
        with self.writing() as db:  # also keeps two processes from making one each
            if file.is_file():
                file.chmod(0o600)
                key = file.read_text(encoding="utf-8").strip()
                if self.check_key(key):
                    return key
            key = self._new_key(db, "local")
            part = file.with_name("local.key.part")
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(key + "\n")
            part.replace(file)
            return key

    def sign_in_token(self) -> str:
        """A token for one sign-in link: used once, or dead after 24 hours."""
        token = secrets.token_urlsafe(32)
        with self.writing() as db:
            db.execute("DELETE FROM sign_in_tokens WHERE expires <= ?", (now(),))
            db.execute("INSERT INTO sign_in_tokens VALUES (?, ?)", (_hash(token), now(TOKEN_LIFE)))
        return token

    def sign_in(self, token: str) -> str | None:
        """A key for the bearer of a live token, which dies by it; None for any other."""
        with self.writing() as db:
            used = db.execute(
                "DELETE FROM sign_in_tokens WHERE hash = ? AND expires > ?", (_hash(token), now())
            ).rowcount
            return self._new_key(db, "page sign-in", PAGE_KEY_LIFE) if used else None

    @staticmethod
    def _new_key(db: Any, name: str, life: timedelta | None = None) -> str:
        key = secrets.token_urlsafe(32)
        db.execute("INSERT INTO keys (id, name, hash, created, expires) VALUES (?, ?, ?, ?, ?)",
                   (secrets.token_hex(6), name, _hash(key), now(), now(life) if life else None))  # fmt: skip
        return key


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
