"""What the vendors' browser libraries fetch before they send: the settings of a source. All of it names this server."""

from __future__ import annotations

from typing import Any

import msgspec


def segment_settings(key: str, address: str) -> bytes:
    """What ``@segment/analytics-next`` reads from ``/v1/projects/{writeKey}/settings``.

    Args:
        key: the write key.
        address: of this server, as ``https://data.shop.example``.
    """
    protocol, _, host = address.partition("://")
    source: dict[str, Any] = {
        "apiKey": key,
        "apiHost": f"{host}/v1",
        "protocol": protocol,
        "addBundledMetadata": False,
        "unbundledIntegrations": [],
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
        # A call made as the visitor leaves the page still arrives.
        "deliveryStrategy": {"config": {"keepalive": True}},
    }
    return msgspec.json.encode(
        {
            "integrations": {"Segment.io": source},
            "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
            "edgeFunction": {},
            "analyticsNextEnabled": True,
            "middlewareSettings": {},
            "enabledMiddleware": {},
            "metrics": {"sampleRate": 0},
            "legacyVideoPluginsEnabled": False,
            "remotePlugins": [],
        }
    )


def rudder_config(key: str, address: str) -> bytes:
    """What RudderStack's libraries read from ``/sourceConfig``: a source without destinations of its own."""
    off = {"enabled": False}
    return msgspec.json.encode(
        {
            "source": {
                "id": key,
                "name": "shoal",
                "writeKey": key,
                "workspaceId": "shoal",
                "enabled": True,
                "config": {"statsCollection": {"errors": off, "metrics": off}},
                "connections": [],
                "destinations": [],
                "dataplanes": {"US": [{"url": address, "default": True}]},
                "updatedAt": "2026-01-01T00:00:00.000Z",
            },
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "consentManagementMetadata": {"providers": []},
        }
    )
