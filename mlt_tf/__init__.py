"""MLT, the target-aware tracker of Choi, Kwon and Lee (ICCV 2019): `mlt_tf.tracker.Tracker` follows a target."""

__version__ = "0.1.0"
