"""Options of OTLP that OpenTelemetry's variables set: TLS with an own CA, gRPC, temporality and histograms."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from support.launching import PRELUDE, launch
from support.requirements import HAS_GRPC
from support.servers.openai_provider import OpenAIProvider
from support.servers.otlp_receiver import OTLPReceiver

CALL = f"{PRELUDE}completion(**chat)"
NO_BUNDLE = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""}
"""If one of these has a value, the package requests uses it instead of OTEL_EXPORTER_OTLP_CERTIFICATE."""


@pytest.fixture
def provider() -> Iterator[str]:
    with OpenAIProvider() as server:
        yield server.base_url


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate for 127.0.0.1, which is its own CA, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an own CA")])
    now = dt.datetime.now(dt.timezone.utc)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("certificate")
    public, private = directory / "ca.pem", directory / "key.pem"
    public.write_bytes(signed.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return public, private


class TLSReceiver(OTLPReceiver):
    def __init__(self, public: Path, private: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(public, private)
        super().__init__()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate ends the handshake."""

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"


@pytest.mark.parametrize("is_trusted", [True, False])
def test_http_over_tls_with_an_own_ca(certificate: tuple[Path, Path], provider: str, *, is_trusted: bool) -> None:
    """Without the CA, nothing is sent, and the application runs as before."""
    with TLSReceiver(*certificate) as backend:
        trust = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate[0])} if is_trusted else {}
        variables = {"PROVIDER": provider, "OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint, **trust, **NO_BUNDLE}
        done = launch(sys.executable, "-c", f"{CALL}\nprint('end')", **variables)
    assert (done.returncode, done.stdout) == (0, "end\n")
    assert [span.name for span in backend.spans] == ["chat gpt-4o"] * is_trusted
    assert bool(backend.metrics) is is_trusted


@contextmanager
def grpc_server(certificate: tuple[Path, Path] | None) -> Iterator[tuple[str, list[str]]]:
    """A real gRPC server. Yields its URL, and the names of the spans that it receives."""
    import grpc  # type: ignore[import-untyped,unused-ignore]

    names: list[str] = []

    def export(request: ExportTraceServiceRequest, _context: object) -> ExportTraceServiceResponse:
        scopes = [scope for each in request.resource_spans for scope in each.scope_spans]
        names.extend(span.name for scope in scopes for span in scope.spans)
        return ExportTraceServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    if certificate is None:
        url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        public, private = (file.read_bytes() for file in certificate)
        credentials = grpc.ssl_server_credentials([(private, public)])
        url = f"https://127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    yield url, names
    server.stop(None).wait()


@pytest.mark.skipif(not HAS_GRPC, reason="OTLP over gRPC: `tox -e nested`")
@pytest.mark.parametrize("has_tls", [False, True])
def test_grpc(certificate: tuple[Path, Path], provider: str, *, has_tls: bool) -> None:
    """With the variables of the documentation."""
    with grpc_server(certificate if has_tls else None) as (url, names):
        done = launch(
            sys.executable,
            "-c",
            CALL,
            PROVIDER=provider,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            **({"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate[0])} if has_tls else {}),
        )
    assert done.returncode == 0, done.stderr
    assert names == ["chat gpt-4o"]


def exported_duration(provider: str, **environment: str) -> Metric:
    """The metric of durations that a program with one call exports."""
    with OTLPReceiver() as backend:
        launch(
            sys.executable,
            "-c",
            CALL,
            PROVIDER=provider,
            OTEL_EXPORTER_OTLP_ENDPOINT=backend.endpoint,
            **environment,
        )
        exports = [
            ExportMetricsServiceRequest.FromString(each.body) for each in backend.requests if each.path == "/v1/metrics"
        ]
    duration: Metric
    (duration,) = (
        metric
        for export in exports
        for resource in export.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "gen_ai.client.operation.duration"
    )
    return duration


@pytest.mark.parametrize("preference", ["cumulative", "delta"])
def test_delta_temporality(preference: str, provider: str) -> None:
    metric = exported_duration(provider, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=preference)
    histogram = metric.histogram
    name = AggregationTemporality.Name(histogram.aggregation_temporality)
    assert name == f"AGGREGATION_TEMPORALITY_{preference.upper()}"
    assert [point.count for point in histogram.data_points] == [1]


def test_exponential_histograms(provider: str) -> None:
    """They replace the histograms with fixed bounds, except those whose bounds this package sets."""
    preference = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}
    metric = exported_duration(provider, **preference)
    assert metric.WhichOneof("data") == "exponential_histogram"
    assert [point.count for point in metric.exponential_histogram.data_points] == [1]
