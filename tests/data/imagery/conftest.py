import io

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def scene():
    """A smooth picture, (48, 64, 3) uint8, with all values between 0 and 255."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture
def jpeg(scene):
    buffer = io.BytesIO()
    Image.fromarray(scene).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
