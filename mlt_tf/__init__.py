"""MLT, the target-aware tracker of Choi, Kwon and Lee (ICCV 2019): `mlt_tf.tracker.Tracker` follows a target.

TensorFlow's messages of its start say nothing of it: TF_CPP_MIN_LOG_LEVEL=0 shows them.
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
