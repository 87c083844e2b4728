# SPDX-License-Identifier: Apache-2.0
# Needs Go, make and git. Everything else is built from published Go modules.

.DEFAULT_GOAL := help

GENERATE_TOOL := go tool -modfile=cluster/tools/generate/go.mod
LINT_TOOL := go tool -modfile=cluster/tools/lint/go.mod
WORKFLOW_TOOL := go tool -modfile=cluster/tools/workflows/go.mod
HEADER := apis/boilerplate.go.txt

# The programs of the control plane that tests start.
TEST_PROGRAMS := etcd kube-apiserver kube-controller-manager kubectl

# Flags for the local environment, the benchmark, go test, the soak test and the end-to-end test.
RUN_FLAGS ?=
BENCH_FLAGS ?=
TEST_FLAGS ?=
SOAK_FLAGS ?=
E2E_FLAGS ?=

.PHONY: help
help: ## Show the targets.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z0-9-]*:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: generate
generate: ## Write deep copies, method sets, CRDs and docs/api.md from the API types.
	$(GENERATE_TOOL) controller-gen object:headerFile=$(HEADER) paths=./apis/...
	$(GENERATE_TOOL) angryjet generate-methodsets --header-file=$(HEADER) ./apis/...
	rm -f package/crds/*.yaml
	$(GENERATE_TOOL) controller-gen crd:crdVersions=v1 paths=./apis/... output:crd:artifacts:config=package/crds
	$(GENERATE_TOOL) crd-ref-docs --log-level=ERROR --source-path=./apis --config=cluster/tools/generate/crd-ref-docs.yaml --renderer=markdown --output-path=docs/api.md

.PHONY: fmt
fmt: ## Format the Go files.
	$(LINT_TOOL) golangci-lint fmt

.PHONY: build
build: ## Build the programs into _output.
	mkdir -p _output
	CGO_ENABLED=0 go build -trimpath -o _output/ ./cmd/...

# Releases are built with this Go; another one gives other digests.
PACKAGE_GO := $(shell awk '/^toolchain/ {print $$2}' cluster/package/go.mod)
PACKAGE := GOTOOLCHAIN=$${GOTOOLCHAIN:-$(PACKAGE_GO)} go run -C cluster/package . --root=$(CURDIR)
REF ?=
ARCH ?=

.PHONY: version
version: ## Print the version of what would be built.
	@$(PACKAGE) version

.PHONY: image
image: ## Build the image for amd64 and arm64 into _output, without a container runtime.
	$(PACKAGE) image $(addprefix --arch=,$(ARCH))

.PHONY: xpkg
xpkg: image ## Build the Crossplane package on top of the image.
	$(PACKAGE) xpkg

.PHONY: sbom
sbom: ## Write what is in image and package (CycloneDX); make xpkg first.
	$(PACKAGE) sbom
	$(PACKAGE) sbom $(CURDIR)/_output/image/provider-aiven

.PHONY: digest
digest: ## Print the digest that the built package has in a registry (ARCH=amd64 for one platform).
	@$(PACKAGE) digest $(addprefix --arch=,$(ARCH))

.PHONY: push
push: ## Push the built package, which is also the image (REF=registry.example.org/provider-aiven:v1.2.3).
	$(PACKAGE) push --ref=$(REF)

.PHONY: plugin
plugin: ## Build archives of kubectl-aivenapp for all platforms, checksums and a krew manifest into _output/plugin.
	$(PACKAGE) plugin

.PHONY: dashboard
dashboard: ## Write the Grafana dashboard and the reference of metrics.
	go test ./test/monitoring/dashboard -update
	go test ./internal/metrics -run TestReference -update

# The race detector needs a C compiler. Without one the tests run all the same.
RACE := $(if $(shell command -v $${CC:-cc}),-race,)

# Tests and linters of the package builder need no release's digests: they run with
# the Go that the rest runs with, and download no other.
SAME_GO := GOTOOLCHAIN=$$(go env GOVERSION)

.PHONY: test
test: ## Run all tests but e2e against a real API server, with the race detector if there is a C compiler.
	@assets=$$(go run ./cluster/controlplane/prepare $(TEST_PROGRAMS)) && \
		KUBEBUILDER_ASSETS=$$assets go test $(RACE) -timeout 60m $(TEST_FLAGS) ./...
	$(SAME_GO) go test -C cluster/package $(RACE) -timeout 60m $(TEST_FLAGS) ./...

.PHONY: lint
lint: ## Run the linters, also of the package builder and of workflows, and check the directions of imports.
	$(LINT_TOOL) golangci-lint run
	$(SAME_GO) go tool -C cluster/package -modfile=$(CURDIR)/cluster/tools/lint/go.mod golangci-lint run --config=$(CURDIR)/.golangci.yml
	@# Without programs that a machine may have or not.
	$(WORKFLOW_TOOL) actionlint -shellcheck= -pyflakes=
	go test -count=1 ./test/imports/

.PHONY: e2e-local
e2e-local: ## Start everything as make run does, and check what the examples lead to.
	@assets=$$(go run ./cluster/controlplane/prepare $(TEST_PROGRAMS)) && \
		KUBEBUILDER_ASSETS=$$assets go test -tags e2e -count=1 -timeout 15m $(TEST_FLAGS) ./test/local/...

# It ends itself three minutes before the time is over, to clean up. E2E_OLDER is the
# revision of git to upgrade from.
.PHONY: e2e
e2e: ## Install the package with Crossplane on as real a cluster as the machine allows, and use it (E2E_FLAGS=-level=processes).
	go run ./cluster/node/cmd $(if $(E2E_HOST),-level=cluster) prepare
	$(SAME_GO) go test -tags e2e -count=1 -timeout 40m -v $(TEST_FLAGS) ./test/e2e -args $(E2E_FLAGS)

.PHONY: e2e-kind
e2e-kind: ## The same on a cluster that kind makes, which needs Docker and an image from its registry.
	sh test/e2e/kind.sh

.PHONY: node
node: ## Run a cluster of one node with Crossplane on this machine, for trying out (Ctrl-C ends it).
	go run ./cluster/node/cmd up

.PHONY: run
run: ## Start a control plane, the simulator, the provider and the examples (Ctrl-C ends it).
	@mkdir -p _output && go build -o _output/local ./cluster/local && exec _output/local $(RUN_FLAGS)

.PHONY: soak
soak: ## Let a year pass over 200 applications, and kill the provider at every write (SOAK_FLAGS="-soak.seed 7").
	@assets=$$(go run ./cluster/controlplane/prepare $(TEST_PROGRAMS)) && \
		KUBEBUILDER_ASSETS=$$assets go test $(RACE) -v -count=1 -timeout 6h ./test/soak -args -soak.full $(SOAK_FLAGS)

.PHONY: bench
bench: ## Measure the provider against the simulator (BENCH_FLAGS="-applications 500").
	go run ./test/bench $(BENCH_FLAGS)

.PHONY: check-diff
check-diff: generate ## Fail when generating changes the committed tree, and show how.
	@if [ -n "$$(git status --porcelain)" ]; then \
		git --no-pager diff; git status --short; \
		echo "The tree is not clean after make generate: commit what it wrote." >&2; exit 1; \
	fi

.PHONY: reviewable
reviewable: generate lint test ## Everything to do before a review.

.PHONY: clean
clean: ## Remove what make build wrote.
	rm -rf _output

.PHONY: clean-cache
clean-cache: ## Remove the built control plane from the user's cache folder.
	@dir=$$(go run ./cluster/controlplane/prepare) && echo "rm -rf $$dir" && rm -rf "$$dir"
