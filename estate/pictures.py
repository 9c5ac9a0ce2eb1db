"""Pictures of pages with a palette: a third of the bytes, and no difference that one sees."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from playwright.async_api import Page

__all__ = ["smaller"]

_MOST = 256
_AT_ONCE = 512
_PIXELS = """
async (png) => {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
  return [image.width, image.height, btoa(text)];
}
"""


async def smaller(page: Page, png: bytes) -> bytes:
    """The picture in 256 colours: most used ones, and those least like any of them; page: any, it decodes."""
    width, height, text = await page.evaluate(_PIXELS, base64.b64encode(png).decode())
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 4)[:, :3].astype(np.uint32)
    packed = (pixels[:, 0] << 16) | (pixels[:, 1] << 8) | pixels[:, 2]
    colours, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    kept = _palette(colours, counts)
    indexes = _nearest(colours, kept)[places].astype(np.uint8).reshape(height, width)
    rows = np.hstack([np.zeros((height, 1), np.uint8), indexes])  # each row begins with its filter: none
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", _rgb(kept).tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)))
    body = b"".join(_chunk(name, data) for name, data in (*chunks, (b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + body


def _palette(colours: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """A small green dot stays green, however rare: half of the places are for what is unlike the others."""
    kept = colours[np.argsort(counts)[::-1][: _MOST // 2]]
    every = _rgb(colours).astype(np.int32)
    distance = ((every - _rgb(kept).astype(np.int32)[_nearest(colours, kept)]) ** 2).sum(axis=1)
    while len(kept) < min(_MOST, len(colours)):
        farthest = int(distance.argmax())
        kept = np.append(kept, colours[farthest])
        distance = np.minimum(distance, ((every - every[farthest]) ** 2).sum(axis=1))
    return kept


def _nearest(colours: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """For each colour the place of the kept one that is nearest."""
    palette = _rgb(kept).astype(np.int32)
    found = np.empty(len(colours), np.int64)
    for first in range(0, len(colours), _AT_ONCE):
        some = _rgb(colours[first : first + _AT_ONCE]).astype(np.int32)
        distance = ((some[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)
        found[first : first + _AT_ONCE] = distance.argmin(axis=1)
    return found


def _rgb(packed: np.ndarray) -> np.ndarray:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
