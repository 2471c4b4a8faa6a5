"""Settings, from the environment (`ACCORD_…`) or given by the shell."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where a node keeps its things and how it names itself. Paths are relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="ACCORD_", extra="ignore")

    home: Path = Path("var")
    """Folder of everything a node owns."""
    store: Path | None = None
    """The store file; `<home>/accord.db` when not given."""
    keys: Path | None = None
    """The key directory; `<home>/keys` when not given."""
    policy: Path | None = None
    """A folder of policy files to load beside those that come with the software."""
    key_passphrase: SecretStr | None = None
    """Passphrase of the private keys; or give a file."""
    key_passphrase_file: Path | None = None
    """File with the passphrase, mode 0600."""
    pkcs11_module: Path | None = None
    """The PKCS #11 module (a shared library) of the token that holds signing keys."""
    pkcs11_token: str | None = None
    """The label of that token."""
    pkcs11_key_label: str = "accord"
    """The label that new keys get on it."""
    pkcs11_pin: SecretStr | None = None
    """The token's user PIN; or give a file."""
    pkcs11_pin_file: Path | None = None
    """File with the PIN, mode 0600."""
    issuer: str | None = None
    """`iss` of receipts. A live store needs one; a test store is `urn:accord:test` unless told otherwise."""
    public_url: str | None = None
    """Where others reach this node, as status lists say it; the issuer's name where that is an address."""
    upload_limit: int = 1_000_000_000
    """Bytes of a register's file that is uploaded."""
    document_limit: int = 8_000_000
    """Bytes of a request with a signed document; of a longer document the digest is given, or the command is used."""
    access_log: bool = True
    """Whether to log a line per request: method, route, status and time, never a number or a name."""
    fetch_private: bool = False
    """Whether revocation lists may be fetched from addresses that are not public: a mirror in one's own network."""

    @property
    def store_path(self) -> Path:
        """The store file."""
        return self.store or self.home / "accord.db"

    @property
    def keys_path(self) -> Path:
        """The key directory."""
        return self.keys or self.home / "keys"
