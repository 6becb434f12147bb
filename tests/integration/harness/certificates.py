"""Certificates made by the openssl command in a scratch directory."""

import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path


class Certificates:
    """A CA and a certificate for localhost, 127.0.0.1 and ::1 that it signed; removed by close()."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="imapmeter-certificates-"))
        self.ca, self._ca_key = self._self_signed("ca", "imapmeter test CA", "critical,CA:TRUE")
        self.cert, self.key = self.issue("server", "DNS:localhost,IP:127.0.0.1,IP:::1")

    def issue(self, name: str, subject_alt_name: str, days: int = 30) -> tuple[Path, Path]:
        """A certificate of this CA and its key."""
        cert, key, request = (self.directory / f"{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={subject_alt_name}\nbasicConstraints=CA:FALSE\n", encoding="ascii")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial",
                      "-days", str(days), "-extfile", extensions, "-out", cert)
        return cert, key

    def self_signed(self, name: str, subject_alt_name: str) -> tuple[Path, Path]:
        """A certificate that no CA signed, and its key."""
        return self._self_signed(name, name, "CA:FALSE", "-addext", f"subjectAltName={subject_alt_name}")

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def close(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _self_signed(self, name: str, subject: str, constraints: str, *more: str) -> tuple[Path, Path]:
        cert, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                      "-subj", f"/CN={subject}", "-addext", f"basicConstraints={constraints}", *more,
                      "-keyout", key, "-out", cert)
        return cert, key

    @staticmethod
    def _openssl(*arguments) -> None:
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"openssl {arguments[0]}: {done.stderr}")


def trusting_nothing() -> ssl.SSLContext:
    """For a client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
