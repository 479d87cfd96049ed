"""The commands. TensorFlow's messages of its start say nothing of them: TF_CPP_MIN_LOG_LEVEL=0 shows them."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
