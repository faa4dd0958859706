"""A policy server of openpi's own parts: its encoding, its `BasePolicy`, and the asynchronous server of websockets,
which its `WebsocketPolicyServer` is made of. That class lives in openpi's repository, not in its client's package.

    ~/.cache/tandem-peers/openpi/bin/python launch/peers/serve_openpi.py HORIZON [slow|fail|object]

Run with the openpi peer's python. Prints the port; serves DROID's keys until it is ended. The second argument is what
it does wrong at the second request: it takes 2 s, raises, or answers with an array of text.
"""

import asyncio
import sys
import time
import traceback

import numpy as np
import websockets.asyncio.server as server
from openpi_client import base_policy, msgpack_numpy


class Steps(base_policy.BasePolicy):
    """Every joint moves 0.002 rad a step; the gripper closes as the chunk goes on."""

    def __init__(self, horizon: int, fault: str):
        self._horizon, self._fault, self._calls = horizon, fault, 0

    def infer(self, obs: dict) -> dict:
        self._calls += 1
        if self._calls == 2 and self._fault == "slow":
            time.sleep(2.0)
        if self._calls == 2 and self._fault == "fail":
            raise RuntimeError(f"no such prompt: {obs['prompt']}")
        assert obs["observation/exterior_image_1_left"].shape == (224, 224, 3)
        joints = obs["observation/joint_position"].shape[0]
        closing = np.linspace(0, 1, self._horizon)[:, None]
        actions = np.hstack((np.full((self._horizon, joints), 0.01), closing)).astype(np.float32)
        if self._calls == 2 and self._fault == "object":
            actions = actions.astype("U8")
        timing = {"infer_ms": np.float32(1)}
        return {"actions": actions, "state": obs["observation/joint_position"], "policy_timing": timing}


async def main(policy: base_policy.BasePolicy) -> None:
    async def handle(connection: server.ServerConnection) -> None:
        packer = msgpack_numpy.Packer()
        await connection.send(packer.pack({"reset_pose": np.zeros(3)}))
        async for message in connection:
            try:
                await connection.send(packer.pack(policy.infer(msgpack_numpy.unpackb(message))))
            except Exception:
                await connection.send(traceback.format_exc())
                await connection.close(1011, "Internal server error")
                raise

    async with server.serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as running:
        print(running.sockets[0].getsockname()[1], flush=True)
        await running.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Steps(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")))
