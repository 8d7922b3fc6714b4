"""A certificate for ARI that vouches for itself: the daemon gets the same file as ``ca_file``."""

import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from callrouter.errors import CallrouterError

DAYS: Final = 3650
_TIMEOUT_S: Final = 30.0


def make_certificate(certificate: Path, key: Path, address: str) -> None:
    """Write certificate and key (ECDSA P-256) for an IP address or the name of a host.

    Raises:
        CallrouterError: openssl is not there, or says no.
    """
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", str(DAYS), "-subj", f"/CN={address}"]
    command += ["-addext", f"subjectAltName={_kind(address)}:{address}"]
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError as exc:
        raise CallrouterError("openssl makes the certificate, and is not here; apt-get install openssl") from exc
    if done.returncode != 0:
        raise CallrouterError(f"openssl made no certificate for {address}: {done.stderr.strip()[-300:]}")


def _kind(address: str) -> str:
    try:
        ip_address(address)
    except ValueError:
        return "DNS"
    return "IP"
