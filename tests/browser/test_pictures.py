"""Pictures with a palette look like what they were made of."""

from __future__ import annotations

import base64

from playwright.async_api import Browser

from estate.pictures import smaller

_PAGE = """<body style="margin:0;background:linear-gradient(90deg,#102030,#fff5e0)">
<p style="position:absolute;left:40px;top:40px;width:3px;height:3px;margin:0;background:#00c040"></p>
<p style="font:14px sans-serif">the period 2026-03 is closed, again and again</p></body>"""
_PIXEL = """
async ([png, x, y]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  return [image.width, image.height, ...context.getImageData(x, y, 1, 1).data];
}
"""


async def test_a_rare_colour_stays(browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 600, "height": 200})
    page = await context.new_page()
    await page.set_content(_PAGE)
    picture = await page.screenshot()
    made = await smaller(page, picture)
    seen = await page.evaluate(_PIXEL, [base64.b64encode(made).decode(), 41, 41])
    await context.close()
    assert len(made) < len(picture)
    assert seen == [600, 200, 0, 0xC0, 0x40, 255]
