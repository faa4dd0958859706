"""Renders cameras of a world, only when asked. One GL context per thread, in it one frame buffer per size and quality.

On a CPU the shadow map and multisampling are nearly the whole cost of an image, so policies get the `FAST` preset and
pictures for people the `FINE` one.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from tandem.bridge.contract import CameraSpec, UnknownName
from tandem.sim import opengl


@dataclass(frozen=True)
class Quality:
    """How much work an image may cost: side of the shadow map in texels, and samples per pixel."""

    shadow_size: int
    samples: int
    sky: bool


FAST = Quality(shadow_size=0, samples=0, sky=False)
FINE = Quality(shadow_size=2048, samples=4, sky=True)


@dataclass(frozen=True)
class CameraRequest:
    """A camera that a body shall offer: its name in the scene, size in pixels, and whether it measures depth."""

    name: str
    width: int
    height: int
    depth: bool = False


DEFAULT_CAMERAS = (CameraRequest("front", 640, 480, depth=True), CameraRequest("wrist", 320, 240, depth=True))


class Renderer:
    """Images, depth and segmentation of one model.

    Args:
        model: the compiled model.
        quality: the preset.
    """

    def __init__(self, model: mujoco.MjModel, quality: Quality = FAST):
        self._model, self._quality = model, quality
        self._scene, self._camera, self._option = None, mujoco.MjvCamera(), mujoco.MjvOption()
        self._buffers: dict[tuple[opengl.Context, int, int], mujoco.MjrContext] = {}

    def _buffer(self, width: int, height: int) -> mujoco.MjrContext:
        key = opengl.bind(), width, height
        if key not in self._buffers:
            self._buffers[key] = self._make_buffer(width, height)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._buffers[key])
        return self._buffers[key]

    def _make_buffer(self, width: int, height: int) -> mujoco.MjrContext:
        """MuJoCo reads sizes from the model while it makes a buffer; the model is given back as it was."""
        vis = self._model.vis
        before = (vis.quality.shadowsize, vis.quality.offsamples, vis.global_.offwidth, vis.global_.offheight)
        vis.quality.shadowsize, vis.quality.offsamples = self._quality.shadow_size, self._quality.samples
        vis.global_.offwidth, vis.global_.offheight = width, height
        buffer = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        vis.quality.shadowsize, vis.quality.offsamples, vis.global_.offwidth, vis.global_.offheight = before
        buffer.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        return buffer

    def _update(self, data: mujoco.MjData, camera: str) -> mujoco.MjvScene:
        if self._scene is None:
            self._scene = mujoco.MjvScene(self._model, maxgeom=1000)
            self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = self._quality.shadow_size > 0
            self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
            self._scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = self._quality.sky
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = camera_id(self._model, camera)
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        return self._scene

    def render(
        self, data: mujoco.MjData, camera: str, width: int, height: int, *, depth: bool = False
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """RGB uint8 (H, W, 3), and float32 (H, W) metres along the camera's axis when asked for."""
        buffer, rect = self._buffer(width, height), mujoco.MjrRect(0, 0, width, height)
        mujoco.mjr_render(rect, self._update(data, camera), buffer)
        rgb = np.empty((height, width, 3), np.uint8)
        raw = np.empty((height, width), np.float32) if depth else None
        mujoco.mjr_readPixels(rgb, raw, rect, buffer)
        return np.ascontiguousarray(rgb[::-1]), None if raw is None else self._metric(raw[::-1])

    def _metric(self, reversed_z: np.ndarray) -> np.ndarray:
        """Depth buffer (1 near, 0 far) to metres, 0 where nothing was hit. Single precision errs by micrometres."""
        vis, extent = self._model.vis.map, self._model.stat.extent
        near, far = np.float32(vis.znear * extent), np.float32(vis.zfar * extent)
        metric = near + reversed_z * (far - near)
        np.divide(near * far, metric, out=metric)
        metric[reversed_z == 0] = 0
        return metric

    def segmentation(self, data: mujoco.MjData, camera: str, width: int, height: int) -> np.ndarray:
        """int32 (H, W): the id of the geom that each pixel shows, -1 for none."""
        buffer, scene = self._buffer(width, height), self._update(data, camera)
        rect, flags = mujoco.MjrRect(0, 0, width, height), scene.flags.copy()
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = True
        mujoco.mjr_render(rect, scene, buffer)
        np.copyto(scene.flags, flags)
        rgb = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(rgb, None, rect, buffer)
        ids = rgb[::-1].astype(np.int32) @ np.array([1, 256, 65536], np.int32)
        table = np.full(scene.ngeom + 2, -1, np.int32)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = geom.objid
        return table[ids]

    def close(self) -> None:
        """Free the frame buffers."""
        for (context, _, _), buffer in self._buffers.items():
            context.free(buffer)
        self._buffers.clear()


def camera_id(model: mujoco.MjModel, name: str) -> int:
    """Id of a camera, or `UnknownName` listing those of the model."""
    found = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
    if found < 0:
        raise UnknownName("camera", name, [model.camera(i).name for i in range(model.ncam)])
    return found


def camera_spec(model: mujoco.MjModel, request: CameraRequest) -> CameraSpec:
    """Intrinsics and mounting of a camera of the model. MuJoCo's cameras look along -z with y up; ours along +z."""
    index = camera_id(model, request.name)
    focal = request.height / 2 / np.tan(np.radians(model.cam_fovy[index]) / 2)
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, model.cam_quat[index])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0]), model.cam_pos[index]
    mount = model.body(int(model.cam_bodyid[index])).name
    return CameraSpec(
        request.name, request.width, request.height,
        np.array([[focal, 0, request.width / 2], [0, focal, request.height / 2], [0, 0, 1]]),
        "base" if mount == "world" else mount, pose, request.depth,
    )
