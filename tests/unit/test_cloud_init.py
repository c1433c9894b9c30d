"""What goes into customData."""

from __future__ import annotations

import base64
import gzip
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from templates.cloud_init import MAX_CUSTOM_DATA_BYTES, CloudInitValues, cloud_config, render_cloud_init
from templates.zipapps import agent_zipapp

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

VALUES = CloudInitValues(
    username="azureuser",
    ssh_public_key="ssh-ed25519 AAAAuser llamalift\n",
    host_private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nmade up\n-----END OPENSSH PRIVATE KEY-----",
    host_public_key="ssh-ed25519 AAAAhost",
    run_json='{"schema": 1, "run_id": "demo-abcdef"}',
    agent_zipapp=b"not really an agent",
)


def _incompressible(size_bytes: int) -> bytes:
    return random.Random(1).randbytes(size_bytes)  # noqa: S311 (the same bytes each time)


def test_rendered_text(snapshot: SnapshotAssertion) -> None:
    """The whole text, reviewed by eye: every change of it shows in a diff."""
    assert cloud_config(VALUES) == snapshot


def test_small_data_stays_readable() -> None:
    """What fits is sent as it is, because people read it when a machine does not come up."""
    assert render_cloud_init(VALUES) == cloud_config(VALUES).encode()


def test_real_agent_fits() -> None:
    """The agent of this checkout fits into customData, with a tenth to spare for keys and limits."""
    text = cloud_config(replace(VALUES, agent_zipapp=agent_zipapp()))
    assert len(gzip.compress(text.encode())) < 0.9 * MAX_CUSTOM_DATA_BYTES


def test_larger_data_is_gzipped() -> None:
    """Base64 grows an archive by a third; gzip takes that back, the same bytes each time, when it is needed."""
    large = replace(VALUES, agent_zipapp=_incompressible(55_000))
    rendered = render_cloud_init(large)
    assert rendered == render_cloud_init(large)
    assert len(rendered) <= MAX_CUSTOM_DATA_BYTES < len(cloud_config(large))
    assert gzip.decompress(rendered).decode() == cloud_config(large)


def test_too_large_data_is_refused_with_its_size() -> None:
    """Azure would refuse it minutes later; here the numbers are told."""
    with pytest.raises(ValueError, match=r"agent 80,000\), limit: 65,535"):
        render_cloud_init(replace(VALUES, agent_zipapp=_incompressible(80_000)))


def test_files_arrive_byte_for_byte() -> None:
    """Archive and JSON are base64, so that neither line ends nor odd bytes are touched."""
    values = replace(VALUES, agent_zipapp=b"\x00\xff\r\n", run_json='{"name": "Zoë\\n"}')
    document = yaml.safe_load(cloud_config(values))
    contents = [base64.b64decode(file["content"]) for file in document["write_files"][:2]]
    assert contents == [b"\x00\xff\r\n", '{"name": "Zoë\\n"}'.encode()]


def test_private_parts_are_not_in_the_repr() -> None:
    """A traceback or a log line with the values shows no key."""
    assert "OPENSSH" not in repr(VALUES)
