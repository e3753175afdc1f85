# Debian's etcd in the shape of etcd's own image: `etcd` and `etcdctl` on the path, and no entry point.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends etcd-client etcd-server
CMD ["etcd"]
