# The wheel is built in a stage of its own, so that the image holds neither sources nor build tools.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE CHANGELOG.md ./
COPY src src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir /wheels/*.whl && rm -r /wheels \
    && useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin shoal \
    && install --directory --owner=shoal --group=shoal --mode=0750 /workspace
ENV SHOAL_WORKSPACE=/workspace PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /workspace
WORKDIR /workspace
EXPOSE 8000
# uvicorn finishes the requests at hand, and the store takes what the log has.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["shoal"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
