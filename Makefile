# The two commands that matter: `make demo` and `make test`. Both install what a fresh Debian 12 lacks.
SHELL := /bin/bash
.DEFAULT_GOAL := help
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
DEMO := demo
BIN := $(TARGET)/release/clearmosaic
WHEEL := $(DEMO)/wheel
# The bench: where the rivals are, where their workloads are kept, and its other options (docs/performance.md).
RIVALS ?= ../shared/bench
WORKLOADS ?= $(TARGET)/side_by_side/workloads
ROUNDS ?=
BENCH ?=
# The fault suite: how many schedules, and the seed of the first.
SEEDS ?= 30
FIRST ?= 1
# The real scenes that test-compose makes a mosaic of.
SLOVENIA ?= ../shared/data/slovenia-120m

.PHONY: help demo build test test-deploy test-compose faults bench bench-cluster stac lint bootstrap clean

help: ## Lists what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

bootstrap: ## Installs system packages that are missing (Debian 12)
	@deploy/bootstrap.sh

build: bootstrap ## Builds the release binary
	cargo build --release --locked

demo: build ## Makes a mosaic of real Sentinel-2 and a picture of it; ends with the picture's path
	@mkdir -p $(WHEEL)
	@deploy/demo/fetch.sh $(WHEEL)
	@/usr/bin/python3 deploy/demo/prepare.py $(WHEEL) $(DEMO)
	$(BIN) run $(DEMO)/request.yaml
	@/usr/bin/python3 deploy/demo/picture.py $(DEMO) $(DEMO)/out/romania-demo $(DEMO)/demo.png

test: bootstrap ## Runs every test
	cargo test --workspace --locked
	/usr/bin/python3 -B -m unittest discover --quiet --start-directory benches/side_by_side
	@tests/kubernetes/test.sh $(TARGET)/kubernetes $(TARGET)/debug/clearmosaic

test-deploy: bootstrap ## Judges the Kubernetes manifests by their schemas, which it gets from PyPI
	@tests/kubernetes/test.sh $(TARGET)/kubernetes $(firstword $(wildcard $(BIN) $(TARGET)/debug/clearmosaic))

test-compose: build ## Brings deploy/compose.yaml up in Docker, kills processes of it, compares the mosaic (needs root)
	@deploy/bootstrap.sh docker.io docker-compose debootstrap iptables openssl
	@tests/compose/test.sh $(BIN) $(SLOVENIA) $(TARGET)/compose

faults: bootstrap ## Plays schedules of faults on real clusters (SEEDS=30, FIRST=1; half a minute each)
	cargo run --locked --quiet -p tests --example faults -- --seeds $(SEEDS) --first $(FIRST)

bench: build ## Measures side by side with the rivals, where they are (hours; BENCH=--quick: does it work?)
	@/usr/bin/python3 -B benches/side_by_side/bench.py --binary $(BIN) --rivals $(RIVALS) --workloads $(WORKLOADS) \
	    --directory $(TARGET)/side_by_side $(addprefix --rounds ,$(ROUNDS)) $(BENCH)

bench-cluster: build ## Measures a coordinator with etcd and 1,000 simulated workers over Africa (a quarter of an hour)
	cargo build --release --locked -p benches --bin bench-cluster
	$(TARGET)/release/bench-cluster $(BIN) ../shared/data/aoi/africa.geojson $(BENCH)

stac: bootstrap ## Judges the STAC that is published by its schemas, which it gets from PyPI (a quarter of an hour, once)
	@mkdir -p $(TARGET)
	env $$(tests/stac/prepare.sh $(abspath $(TARGET))/stac) cargo test --locked -p coordinator --test publish

lint: bootstrap ## Checks format, lints, licences and advisories
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@deploy/deny.sh

clean: ## Removes what the demo made
	rm -rf $(DEMO)
