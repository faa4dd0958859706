"""openpi's own client and chunk broker against a server on its wire, as its DROID example calls them.

    ~/.cache/tandem-peers/openpi/bin/python launch/peers/ask_openpi.py PORT STEPS HORIZON [API_KEY]

Run with the openpi peer's python. Prints one JSON line: the metadata's keys, the shape of a whole chunk, the actions
that the broker hands out one by one, and the round trip.
"""

import json
import sys
import time

import numpy as np
from openpi_client import image_tools
from openpi_client.action_chunk_broker import ActionChunkBroker
from openpi_client.websocket_client_policy import WebsocketClientPolicy


def observation(joints: int) -> dict:
    picture = image_tools.convert_to_uint8(
        image_tools.resize_with_pad(np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8), 224, 224))
    return {
        "observation/exterior_image_1_left": picture, "observation/wrist_image_left": picture,
        "observation/joint_position": np.linspace(0.3, 0.4, joints), "observation/gripper_position": np.zeros(1),
        "prompt": "pick up the red cube",
    }


def main(port: int, steps: int, horizon: int, key: str | None, joints: int = 3) -> None:
    client = WebsocketClientPolicy("127.0.0.1", port, key)
    seen, times = observation(joints), []
    whole = client.infer(seen)
    for _ in range(20):
        start = time.perf_counter()
        client.infer(seen)
        times.append((time.perf_counter() - start) * 1e3)
    broker = ActionChunkBroker(client, action_horizon=horizon)
    actions = [broker.infer(seen)["actions"].tolist() for _ in range(steps)]
    broker.reset()
    print(json.dumps({
        "metadata": sorted(client.get_server_metadata()), "shape": list(whole["actions"].shape), "actions": actions,
        "whole": whole["actions"].tolist(), "timing": sorted(whole["server_timing"]),
        "rtt_ms_p50": round(float(np.median(times)), 3),
    }))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else None)
