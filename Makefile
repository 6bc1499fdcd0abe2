# Every command a contributor needs; `make` alone lists them. Paths are relative, so any folder will do.
BIN := .venv/bin
SHELL := /bin/sh
.DEFAULT_GOAL := help
# Without compiled files each process of a system, each command and each worker of the tests compiles all of it again.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup assets demo test lint format check proto-lint release rolling conformance bench train lock wheel
.PHONY: browser-test client client-node oidc-provider manifest-tools observability images k8s-smoke chaos restore-drill fuzz scan clean distclean

# What `make test` runs and how: `make test ARGS="tests/unit -x" JOBS=0`. Tests wait for one another's processes and for
# clocks more than half of their time, so there are more at once than processors, up to eight.
ARGS ?=
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); echo $$((n < 4 ? n * 5 / 2 : 8)))
# The contracts of the last release as a file, not a tag or commit: it is there in a shallow clone and in a
# source archive too, it really fails when a contract breaks, and renewing it shows up in the change.
BASELINE := protos/baseline.binpb

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv from requirements.lock, install platewarden, make stubs and map (quick when nothing changed)
	@sh tools/setup.sh

assets: setup ## fetch the demo photograph into .assets (once)
	@$(BIN)/python tools/assets.py

demo: assets ## run the whole system on one machine and show it at work: make demo [PHOTOS=folder]
	@$(BIN)/platewarden demo $(if $(PHOTOS),--photos "$(PHOTOS)")

test: assets client-node oidc-provider manifest-tools ## run the tests: make test [ARGS="tests/unit -x"] [JOBS=4]
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --ignore=tests/browser $(ARGS)

browser-test: assets oidc-provider ## drive a real Chromium through the pages of the console: make browser-test [ARGS="-k board"]
	@sh tools/chromium.sh
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/browser $(ARGS)

lint: setup ## everything that can be said without running: format, style, types, rooms, contracts, conformance
	@echo "lint: format" && $(BIN)/ruff format --check --quiet .
	@echo "lint: style" && $(BIN)/ruff check --quiet .
	@echo "lint: types" && $(BIN)/mypy
	@echo "lint: rooms" && $(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory proto-lint
	@echo "lint: release" && $(BIN)/python tools/release.py
	@echo "lint: migrations" && $(BIN)/python tools/migrations.py
	@echo "lint: conformance" && $(BIN)/python tools/conformance.py --check

format: setup ## rewrite code and contracts in the project's format
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format . && $(BIN)/buf format --write

check: ## lint, scan and test: what a change must pass
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory scan SCAN=--if-reachable
	@$(MAKE) --no-print-directory browser-test
	@$(MAKE) --no-print-directory test

proto-lint: setup ## style, format and compatibility of the contracts
	@echo "lint: contracts"
	@$(BIN)/buf lint
	@$(BIN)/buf format --diff --exit-code
	@$(BIN)/python -m services.cli.conformance.notices
	@$(BIN)/buf breaking --against $(BASELINE) || { \
		echo "This breaks the contracts of the last release; see docs/operations/release.md." >&2; exit 1; }

release: setup ## make the commit of now the last release: make release VERSION=1.2.0 (docs/operations/release.md)
	@$(BIN)/python tools/release.py record "$(VERSION)"

# Takes some minutes; ARGS=--close: the witness's copy is lost, too (docs/operations/restore.md).
restore-drill: assets ## lose both databases and the image store, restore them to a moment: make restore-drill [ROUNDS=20]
	@$(BIN)/python -m tools.restore_drill --rounds $(or $(ROUNDS),20) $(ARGS)

# Takes some minutes, and once as many for the environment of the release before.
rolling: setup ## run this version and the last release together, under load: make rolling [PREVIOUS=commit] [SECONDS=10]
	@$(BIN)/python -m tests.rolling $(if $(PREVIOUS),--previous "$(PREVIOUS)") $(if $(SECONDS),--seconds "$(SECONDS)")

# Takes an hour or so on two processors that nobody else uses; the tests have a short form.
fuzz: setup ## hostile messages to every RPC, as everybody, one JSON line on stdout: make fuzz [MESSAGES=1000000] [SEED=n]
	@$(BIN)/python -m tests.attack.fuzz $(if $(MESSAGES),--messages $(MESSAGES)) $(if $(SEED),--seed $(SEED))

scan: setup client-node ## look for secrets in the files and for known vulnerabilities in what is used: make scan
	@echo "scan: secrets" && $(BIN)/python tools/scan_secrets.py
	@echo "scan: dependencies"
	@test -d .venv-scan || python3 -m venv .venv-scan
	@.venv-scan/bin/python -m pip install --quiet --require-hashes -r requirements-scan.lock
	@$(BIN)/python tools/scan_dependencies.py $(SCAN)

conformance: setup ## write docs/conformance.md: which test proves which clause of the directive
	@$(BIN)/python tools/conformance.py

bench: ## run a benchmark, one JSON line on stdout: make bench NAME=x [DATA=folder]
	@case "$(NAME)" in ''|_*|*[!a-z0-9_]*) false ;; *) test -f "benchmarks/$(NAME).py" ;; esac || { \
		echo "There is no benchmark '$(NAME)'; there are:" \
			$$(ls benchmarks 2>/dev/null | sed -n 's/^\([a-z0-9][a-z0-9_]*\)\.py$$/\1/p') >&2; exit 2; }
	@$(MAKE) --no-print-directory assets >&2
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-bench.lock >&2
	@DATA="$(DATA)" $(BIN)/python "benchmarks/$(NAME).py"

# Trainings have an environment of their own: the service needs nothing of it.
train: ## train a part of the models: make train STEP=fonts|detector|corners|characters|issuer|quantize [DATA=folder]
	@test -d .venv-training || python3 -m venv .venv-training
	@.venv-training/bin/python -m pip install --quiet -r training/requirements.txt
	@.venv-training/bin/python -m training $(STEP) $(if $(DATA),--data "$(DATA)")

# One lock for all of 3.11 and newer; no index address in it, so that any mirror will do.
lock: setup ## compile requirements.lock from pyproject.toml
	@UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml \
		--quiet --no-config --universal --python-version 3.11 --extra dev --group test --group tools --group build \
		--generate-hashes --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	@UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml \
		--quiet --no-config --universal --python-version 3.11 --extra bench --constraint requirements.lock \
		--generate-hashes --no-emit-index-url --no-emit-find-links --output-file requirements-bench.lock
	@UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --group pyproject.toml:scan \
		--quiet --no-config --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --output-file requirements-scan.lock

wheel: setup ## build the wheel into dist
	@$(BIN)/hatchling build --target wheel

client: setup ## build the wheel of the client package for other agencies into dist
	@cd client && ../$(BIN)/hatchling build --target wheel --directory ../dist

client-node: setup ## build the Node package for other agencies into dist (quick when nothing changed)
	@sh tools/client_node.sh

oidc-provider: setup ## install the identity provider that tests sign in at (quick when nothing changed)
	@sh tools/oidc_provider.sh

manifest-tools: setup ## install what tests render and check the Kubernetes manifests with (quick when nothing changed)
	@sh tools/manifest_tools.sh

observability: setup ## try dashboards and alert rules on a running system with a real Prometheus: make observability [MINUTES=2] [OUT=observability-report]
	@folder=$$(sh tools/prometheus.sh) && $(BIN)/python -m tools.observability "$$folder" "$(or $(OUT),observability-report)" "$(or $(MINUTES),2)"

images: ## build the container images: make images PYTHON_IMAGE=name@sha256:... [BUILDER=docker] [TAG=x]
	@deploy/images/build.sh

k8s-smoke: setup oidc-provider manifest-tools ## play the manifests with podman and tell a story against them, as root: make k8s-smoke [PYTHON_IMAGE=name@sha256:...] [ARGS=--keep]
	@test -z "$(PYTHON_IMAGE)" || { deploy/images/build.sh && deploy/smoke/images/build.sh; }
	@$(BIN)/python -m deploy.smoke $(if $(TAG),--tag "$(TAG)") $(ARGS)

# In a mount namespace of its own it has disks that can be filled; where that is not allowed the ledger says so.
chaos: setup ## the system under load and faults: make chaos [MINUTES=30] [SEED=n] [LEDGER=chaos-ledger.json]
	@alone="unshare --user --map-root-user --mount"; $$alone true 2>/dev/null || alone=; \
		PYTHONPATH=.:client/src $$alone $(BIN)/python -m tests.chaos --minutes "$(or $(MINUTES),30)" \
		--seed "$(or $(SEED),0)" --ledger "$(or $(LEDGER),chaos-ledger.json)"

clean: ## remove what tools and builds left, but not .venv and .assets
	@rm -rf gen dist services/console/static/vendor client/node/dist client/node/src/gen .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv and .assets too
	@rm -rf .venv .venv-scan .assets .rolling .setup.lock client/node/node_modules services/console/vendor/node_modules tests/support/oidc/node_modules deploy/smoke/images/node_modules tests/support/manifests/node_modules
