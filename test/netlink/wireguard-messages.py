#!/usr/bin/python3
"""Makes wireguard-messages.json: WG_CMD_SET_DEVICE messages as pyroute2 writes them (Debian: python3-pyroute2).

pyroute2 names a device by its name, Tenuto by its index: that attribute alone is put in place of the other. Nothing is sent.
"""

import importlib.metadata
import json
import pathlib

from pyroute2.netlink.generic import wireguard

INDEX = 7
PRIVATE = "RCdhcHJlc0JpY2hlLEplU2VyYWlzTGFQbHVzQm9ubmU="
FIRST = "TGFHcm9zc2VCaWNoZV9DJ2VzdExhUGx1c0JlbGxlPDM="
SECOND = "RCdBcHJlc0JpY2hlLFZpdmVMZXNQcm9iaW90aXF1ZXM="
SHARED = "Pz8/V2FudFRvVHJ5TXlBZXJvR3Jvc3NlQmljaGU/Pz8="

NLMSG_HDRLEN = 16


class IndexedMessage(wireguard.wgmsg):
    def encode(self):
        self["attrs"] = [["WGDEVICE_A_IFINDEX", INDEX], *self["attrs"][1:]]
        super().encode()


class Recorder(wireguard.WireGuard):
    """Keeps the message that it is asked to send."""

    prid = 0
    pid = 0

    def __init__(self):
        pass

    def sendto(self, data, _address):
        self.sent = bytes(data)[NLMSG_HDRLEN:].hex()

    def get(self):
        return [{"header": {"error": None}}]


MESSAGES = {
    "keys, port and mark of a device": {
        "private_key": PRIVATE,
        "listen_port": 51820,
        "fwmark": 0x1337,
    },
    "a peer with an IPv4 endpoint": {
        "peer": {
            "public_key": FIRST,
            "endpoint_addr": "192.0.2.1",
            "endpoint_port": 51820,
            "persistent_keepalive": 25,
            "allowed_ips": ["10.0.0.0/24", "198.51.100.7/32"],
        }
    },
    "a peer with an IPv6 endpoint and a shared secret": {
        "peer": {
            "public_key": SECOND,
            "endpoint_addr": "2001:db8::1",
            "endpoint_port": 51821,
            "preshared_key": SHARED,
            "allowed_ips": ["2001:db8:1::/48"],
        }
    },
    "the removal of a peer": {"peer": {"public_key": SECOND, "remove": True}},
}


def main():
    wireguard.wgmsg = IndexedMessage
    messages = {}
    for what, parameters in MESSAGES.items():
        recorder = Recorder()
        recorder.set("wg0", **parameters)
        messages[what] = recorder.sent
    target = pathlib.Path(__file__).with_suffix(".json")
    target.write_text(json.dumps({"pyroute2": importlib.metadata.version("pyroute2"), "messages": messages}, indent=2) + "\n")


main()
