# PyPI's SeaweedFS in the shape of its own image: `weed` and `wget` on the path. The context holds `weed`.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends wget
COPY weed /usr/local/bin/weed
ENTRYPOINT ["weed"]
