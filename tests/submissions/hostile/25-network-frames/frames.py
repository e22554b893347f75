"""Asks all neighbours by IPv6, which needs no address from the engine: a bridge of the host's would answer."""

import socket
import struct
import time
from pathlib import Path

IPV6, ICMPV6, ECHO, ECHO_REPLY, SOLICITATION = 0x86DD, 58, 128, 129, 135
source, everybody = (socket.inet_pton(socket.AF_INET6, address) for address in ("fe80::bad", "ff02::1"))
hardware = bytes.fromhex(Path("/sys/class/net/eth0/address").read_text().strip().replace(":", ""))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


pseudo = source + everybody + struct.pack("!II", 8, ICMPV6)
echo = struct.pack("!BBHHH", ECHO, 0, checksum(pseudo + struct.pack("!BBHHH", ECHO, 0, 0, 1, 1)), 1, 1)
packet = struct.pack("!IHBB", 6 << 28, len(echo), ICMPV6, 255) + source + everybody + echo
frame = bytes.fromhex("333300000001") + hardware + struct.pack("!H", IPV6) + packet

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
    wire.bind(("eth0", 0))
    wire.settimeout(0.5)
    end = time.monotonic() + 4  # a new interface needs some seconds to have an address
    while time.monotonic() < end:
        wire.send(frame)
        try:
            heard = wire.recv(2048)
        except TimeoutError:
            continue
        answers = heard[12:14] == struct.pack("!H", IPV6) and heard[20] == ICMPV6 and heard[6:12] != hardware
        if answers and heard[54] in (ECHO_REPLY, SOLICITATION) and any(heard[22:38]):
            raise SystemExit(f"SUCCEEDED {socket.inet_ntop(socket.AF_INET6, heard[22:38])} answers")
