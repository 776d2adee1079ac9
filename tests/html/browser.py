"""A browser without a screen for the tests of the page, and how to ask it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import time

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
MISSING = "no chromium with its chromedriver: apt-get install chromium chromium-driver"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


def start(folder):
    """Return a new browser whose files are in an empty folder."""
    options = Options()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(150)
    return driver


class Page:
    """A page in a browser."""

    def __init__(self, driver, path):
        self.driver = driver
        self.url = path.as_uri()

    def open(self, width=1280, height=900, dark=False, media="", plots=False):
        """Load the page anew in a window of this size. plots: whether to wait for all of them."""
        self.command("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ])  # fmt: skip
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=width < 500)  # fmt: skip
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.get(self.url)
        if self.js("localStorage.clear(); return document.documentElement.dataset.theme") != "auto":
            self.driver.refresh()
        if plots:
            self.wait("return document.documentElement.dataset.plots === 'drawn'")
        return self

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def wait(self, code, seconds=30):
        """Wait until JavaScript is true."""
        end = time.monotonic() + seconds
        while not self.js(code):
            assert time.monotonic() < end, code
            time.sleep(0.02)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def texts(self, selector):
        """Return the text of each element that is seen."""
        return self.js(
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter((one) => one.checkVisibility()).map((one) => one.innerText.trim())", selector
        )  # fmt: skip

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def hover(self, element):
        from selenium.webdriver import ActionChains

        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.driver).move_to_element(element).perform()

    def focused(self):
        """Return the tag, the text and the classes of the element with the focus."""
        return self.js(
            "const one = document.activeElement;"
            "const text = one.getAttribute('aria-label') || one.innerText || '';"
            "return [one.tagName, text.trim(), one.className]"
        )

    def pixels(self, element):
        """Return what the screen shows at an element, (height, width, 3)."""
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        box = self.js(
            "const b = arguments[0].getBoundingClientRect();"
            "return [b.x + scrollX, b.y + scrollY, b.width, b.height]",
            element,
        )
        x, y, width, height = box
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        more = {"clip": clip, "captureBeyondViewport": True}
        png = self.command("Page.captureScreenshot", format="png", **more)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(png["data"]))).convert("RGB"))

    def errors(self):
        """Return what the console said since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Return the address of each request since the page was opened, without the browser's."""
        events = (
            json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")
        )
        return [
            event["params"]["request"]["url"] for event in events
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["documentURL"].startswith("chrome:")
        ]  # fmt: skip
