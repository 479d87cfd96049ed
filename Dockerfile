# mlt-track in a container. On a CPU:
#
#   docker build --tag mlt .
#   docker run --rm --volume "$PWD:/data" mlt clip.mp4 --box 120,80,60,90
#
# For an NVIDIA GPU, with NVIDIA's container toolkit: `docker build --build-arg GPU=1 --tag mlt-gpu .`, then
# `docker run --gpus all ...`.
FROM python:3.11-slim

ARG GPU=
WORKDIR /opt/mlt
COPY requirements.txt setup.cfg pyproject.toml README.md LICENSE LICENSE-WEIGHTS.md ./

# OpenCV without windows (opencv-python-headless, the same version): there is no display, and it needs neither libGL nor
# GLib. Without a GPU TensorFlow's build for CPUs, which is smaller. All else is as requirements.txt pins it.
RUN sed 's/^opencv-python==/opencv-python-headless==/' requirements.txt > lock.txt \
 && if [ -z "$GPU" ]; then sed -i 's/^tensorflow==/tensorflow-cpu==/' lock.txt; fi \
 && pip install --no-cache-dir --no-deps --requirement lock.txt \
 && if [ -n "$GPU" ]; then \
      pip install --no-cache-dir --constraint lock.txt "$(sed -n 's/^ *\(tensorflow\[and-cuda\]==.*\)/\1/p' setup.cfg)"; \
    fi

COPY mlt_tf mlt_tf
COPY data_pipelines data_pipelines
COPY experiments experiments
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && python -c 'import cv2, tensorflow' 2>/dev/null

ENV TF_CPP_MIN_LOG_LEVEL=3
WORKDIR /data
ENTRYPOINT ["mlt-track"]
CMD ["--help"]
